"""One loop for every evaluation, and one place that computes an NME."""

import ast
from pathlib import Path

import numpy as np
import pytest

from occlumark.data.sample import Problem, evenly_spaced
from occlumark.errors import AnnotationError, BoxError, OcclumarkError, PhotoError
from occlumark.evaluation.loop import MissedFaceError, measure_each

ROOT = Path(__file__).parents[2]
FOLDERS = ("occlumark", "paper", "studies", "benchmarks")
MODULES = {path.relative_to(ROOT).as_posix(): path for name in FOLDERS for path in (ROOT / name).rglob("*.py")}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


class Face:
    def __init__(self, name: str) -> None:
        self.name = name


def calls(tree: ast.Module, name: str) -> bool:
    """Whether a module calls a function by its name."""
    called = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    return any(getattr(func, "attr", getattr(func, "id", "")) == name for func in called)


def divides_distances(tree: ast.Module) -> bool:
    """Whether a module divides distances or a norm by a face's size, which is an error's definition."""
    for node in ast.walk(tree):
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            above, below = ast.unparse(node.left), ast.unparse(node.right)
            distance = any(word in above for word in ("norm(", "distance", "hypot"))
            if distance and any(word in below for word in ("size", "inter_", "width", "normaliser")):
                return True
    return False


def test_who_loops_over_annotated_photos() -> None:
    assert {name for name, tree in TREES.items() if calls(tree, "measure_each")} == {
        "occlumark/evaluation/landmarks.py",
        "occlumark/evaluation/occlusion.py",
        "occlumark/evaluation/finder.py",
        "occlumark/evaluation/visibility.py",
    }
    # paper/ has no loop of its own: its tables come from the two functions of evaluation/landmarks.py, in one module.
    for function in ("evaluate", "evaluate_samples"):
        assert [name for name in TREES if name.startswith("paper/") and calls(TREES[name], function)] == [
            "paper/measure.py"
        ]
    assert not calls(TREES["paper/measure.py"], "read_photo") and not calls(TREES["paper/measure.py"], "read_w300")


def test_no_module_but_metrics_computes_an_nme() -> None:
    computing = {name for name, tree in TREES.items() if name.startswith("occlumark/") and divides_distances(tree)}
    assert {name for name in computing if not name.startswith("occlumark/metrics/")} == set()
    assert "occlumark/metrics/landmarks.py" in computing
    assert divides_distances(ast.parse("e = (np.linalg.norm(a - b, axis=1) / inter_ocular).mean()"))


def test_what_is_skipped_missed_and_measured() -> None:
    raised = {"b": PhotoError("no photo"), "c": MissedFaceError("not found"), "d": BoxError("out"), "e": None}

    def measure(face: Face) -> str:
        error = raised.get(face.name)
        if error:
            raise error
        return face.name.upper()

    before = [Problem("z", "unreadable")]
    found = measure_each([Face(name) for name in "abcde"], before, measure)
    assert [item.name for item in found.items] == ["a", "e"] and found.results == ["A", "E"]
    assert found.skipped == [*before, Problem("b", "no photo"), Problem("c", "not found"), Problem("d", "out")]
    assert [face.name for face in found.missed] == ["c"] and before == [Problem("z", "unreadable")]


def test_nothing_measured_is_an_error_and_another_error_ends_the_loop() -> None:
    def fail(_: Face) -> None:
        raise AnnotationError("no face")

    def stop(_: Face) -> None:
        raise OcclumarkError("no network")

    with pytest.raises(AnnotationError, match=r"^none of 1 faces could be evaluated; the first: no face$"):
        measure_each([Face("a")], [], fail)
    with pytest.raises(OcclumarkError, match=r"^no network$"):
        measure_each([Face("a")], [], stop)


@pytest.mark.parametrize(
    ("count", "chosen"), [(None, range(7)), (9, range(7)), (1, [0]), (3, [0, 2, 4]), (6, [0, 1, 2, 3, 4, 5])]
)
def test_evenly_spaced_by_hand(count: int | None, chosen: list[int]) -> None:
    assert evenly_spaced(np.arange(7).tolist(), count) == list(chosen)


def test_no_item_cannot_be_chosen() -> None:
    with pytest.raises(ValueError, match="at least 1, not 0"):
        evenly_spaced([1, 2], 0)


def test_one_csv_writer_one_text_table_one_sheet() -> None:
    """Everything else calls files.write_csv, cli.text_table and data.contact_sheet."""
    csv_writers = {name for name, tree in TREES.items() if calls(tree, "writerow") or calls(tree, "writerows")}
    assert csv_writers == {"occlumark/files.py"}
    aligned = {name for name, tree in TREES.items() if calls(tree, "rjust")}
    assert aligned == {"occlumark/cli/text_table.py"}
    stacked = {name for name, tree in TREES.items() if calls(tree, "vstack") and calls(tree, "hstack")}
    assert {name for name in stacked if "sheet" in name} == {
        "occlumark/data/contact_sheet.py",
        "occlumark/data/occluder_sheet.py",  # labels beside the rows
    }
