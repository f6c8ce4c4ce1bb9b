import re
import shutil
from pathlib import Path

import pytest

from occlumark.errors import OcclumarkError
from paper import table3
from paper.__main__ import TARGETS, main
from paper.inputs import Inputs, MissingInputError, need_package

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "docs" / "results"


def run(tmp_path: Path, *arguments: str) -> int:
    return main([*arguments, "--shared", str(tmp_path / "shared"), "--out", str(tmp_path / "out")])


def test_what_cannot_be_made_is_skipped_with_one_line_and_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paper.__main__.TARGETS", ("oracles", "table1", "table3"))
    kept = tmp_path / "out" / "oracles.md"
    kept.parent.mkdir()
    kept.write_text("committed")
    assert run(tmp_path) == 0
    out, err = capsys.readouterr()
    assert kept.read_text() == "committed" and out.split() == [
        f"{tmp_path}/out/table3.{kind}" for kind in ("md", "csv")
    ]
    lines = err.splitlines()
    assert lines[0].startswith("paper: skipped oracles: no ") and "--shared DIR" in lines[0]
    assert lines[1].startswith("paper: skipped table1: no 300w-*.csv")
    assert lines[2:] == ["paper: 2 of 3 targets skipped"]


def test_a_named_target_that_cannot_be_made_is_a_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path, "figure4") == 1
    assert "skipped figure4" in capsys.readouterr().err


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(MissingInputError, match=r"no_such_package is not installed; .*'\.\[paper\]'"):
        need_package("no_such_package", "paper")


def test_an_error_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(inputs: Inputs) -> list[Path]:
        raise OcclumarkError("no room")

    monkeypatch.setattr(table3, "make", fail)
    assert run(tmp_path, "table3") == 1
    assert capsys.readouterr().err == "paper: table3: no room\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["table5"], "no target 'table5'; there is oracles"),
        (["errors", "table1"], "errors is made alone"),
        (["table1", "--as", "ablation-odn-seed0"], "--as goes with errors"),
        (["table1", "--cofw", "DIR"], "--cofw goes with figure4"),
        (["table1", "--aflw", "DIR"], "--aflw goes with table3 or figure5"),
        (["errors", "--model", "odn", "--weights", "x.onnx"], "--model or --weights, not both"),
        (["table1", "--model", "odn"], "--model goes with errors, figure6"),
        (["figure6", "--weights", "x.onnx"], "--weights goes with errors"),
        (["errors"], "no .*300w; name the research data's folder"),
    ],
)
def test_wrong_usage_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert run(tmp_path, *arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(message, line)


def test_photos_of_data_sets_stay_out_of_the_repository(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["figure6", "--photos", "ibug"]) == 1
    assert "stay out of the repository" in capsys.readouterr().err


def test_every_target_is_in_the_makefile_and_on_the_index() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert f"PAPER_TARGETS := {' '.join(TARGETS)}\n" in makefile
    index = (RESULTS / "README.md").read_text(encoding="utf-8")
    assert [target for target in TARGETS if f"]({target}.md)" not in index] == []


@pytest.mark.parametrize("page", sorted(RESULTS.glob("*.md")), ids=lambda page: page.name)
def test_links_of_the_results_lead_somewhere(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    assert targets and [t for t in targets if not t.startswith("http") and not (page.parent / t).exists()] == []


@pytest.mark.parametrize("target", ["table1", "table2", "best", "table3", "table4"])
def test_the_committed_tables_are_those_of_the_committed_errors(tmp_path: Path, target: str) -> None:
    shutil.copytree(RESULTS / "errors", tmp_path / "out" / "errors")
    shutil.copytree(RESULTS.parent / "logs", tmp_path / "logs")
    assert run(tmp_path, target) == 0
    for made in (tmp_path / "out").glob("*.*"):
        assert made.read_text(encoding="utf-8") == (RESULTS / made.name).read_text(encoding="utf-8")
