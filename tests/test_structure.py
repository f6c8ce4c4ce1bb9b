"""The package's shape: imports point one way, detection needs no torch, no module is long."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "occlumark"
#: From the bottom to the top. A module imports from lower layers alone; a folder's modules also from one another.
LAYERS: tuple[set[str], ...] = (
    {"", "errors"},
    {"config"},
    {"files", "markup", "crop", "boxes", "onnx_check"},
    {"photo", "face", "packaged", "network_file", "metrics", "occluders", "model"},
    {"draw", "finder", "landmarker", "recrop"},
    {"searched"},
    {"detect", "data"},
    {"demo", "evaluation", "train", "video", "bulk"},
    {"export"},
    {"cli"},
    {"__main__"},
)
#: What every command of the command line has, for cli/main.py to call.
COMMANDS = {"add_parser", "run"}
#: What `pip install occlumark[train]` adds: detection and evaluation work without.
TRAINING_ONLY = {"torch", "torchvision", "jaxtyping", "onnx", "onnxscript", "safetensors", "tensorboard"}
WITHOUT_TORCH = (
    "occlumark.detect",
    "occlumark.evaluation.landmarks",
    "occlumark.evaluation.finder",
    "occlumark.evaluation.occlusion",
    "occlumark.video.tracker",
    "occlumark.cli.main",
)


def _modules() -> dict[str, ast.Module]:
    """Every module of the package by its dotted name, parsed."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = ["occlumark", *path.relative_to(ROOT).with_suffix("").parts]
        found[".".join(parts).removesuffix(".__init__")] = ast.parse(path.read_text(encoding="utf-8"))
    return found


MODULES = _modules()


def _imported(node: ast.AST) -> Iterator[str]:
    """The modules that an import statement names; nothing for any other statement."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0 and node.module, "imports are absolute"
        for alias in node.names:
            whole = f"{node.module}.{alias.name}"
            yield whole if whole in MODULES else node.module


def _when_loaded(tree: ast.Module) -> Iterator[str]:
    """What a module imports while it is itself imported: not in functions, not for the type checker alone."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting += node.orelse
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _imported(node)
            waiting += ast.iter_child_nodes(node)


def _layer(module: str) -> int:
    part = module.split(".")[1] if "." in module else ""
    layers = [rank for rank, parts in enumerate(LAYERS) if part in parts]
    assert layers, f"{module} has no place in LAYERS: give it one"
    return layers[0]


def _points_down(importer: str, imported: str) -> bool:
    folders = [module.split(".")[1:2] for module in (importer, imported)]
    return _layer(imported) < _layer(importer) or folders[0] == folders[1]


@pytest.mark.parametrize("module", sorted(set(MODULES) - {"occlumark"}))
def test_imports_point_down(module: str) -> None:
    imported = {name for node in ast.walk(MODULES[module]) for name in _imported(node) if name in MODULES}
    assert [name for name in sorted(imported) if not _points_down(module, name)] == []


def test_an_arrow_upwards_or_sideways_is_seen() -> None:
    assert _points_down("occlumark.detect", "occlumark.crop")
    assert _points_down("occlumark.data.pack", "occlumark.data.sample")
    assert not _points_down("occlumark.crop", "occlumark.detect")
    assert not _points_down("occlumark.crop", "occlumark.markup")
    assert not _points_down("occlumark.model.network", "occlumark.data.pack")


def test_the_packages_own_list_of_names_loads_nothing() -> None:
    assert [name for name in _when_loaded(MODULES["occlumark"]) if name in MODULES] == []


@pytest.mark.parametrize("start", WITHOUT_TORCH)
def test_nothing_on_the_way_imports_torch(start: str) -> None:
    came_from: dict[str, str] = {start: "the test"}
    waiting = [start]
    while waiting:
        module = waiting.pop()
        for name in [*_when_loaded(MODULES[module]), module.rpartition(".")[0]]:
            assert name.split(".")[0] not in TRAINING_ONLY, f"{name} by {module}, by {came_from[module]}"
            if name in MODULES and name not in came_from:
                came_from[name] = module
                waiting.append(name)
    assert len(came_from) > 2


def test_detection_and_evaluation_load_where_the_training_packages_are_missing() -> None:
    missing = "".join(f"sys.modules['{name}'] = None; " for name in sorted(TRAINING_ONLY))
    code = f"import sys; {missing}import {', '.join(WITHOUT_TORCH)}, occlumark.demo"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT.parent)


@pytest.mark.parametrize("path", sorted((ROOT.parent / "tests").rglob("*.py")), ids=lambda path: path.name)
def test_tests_load_without_the_data_extra(path: Path) -> None:
    """pytest.importorskip, in the test or the fixture that needs it, says what is missing."""
    loaded = {name.split(".")[0] for name in _when_loaded(ast.parse(path.read_text(encoding="utf-8")))}
    assert loaded & {"scipy", "h5py"} == set()


def test_no_two_public_names_are_the_same() -> None:
    assert _twins(MODULES) == {}


def test_twins_are_seen() -> None:
    modules = {"a.b": ast.parse("def same(): ..."), "a.c": ast.parse("class same: ..."), "a.cli.d": ast.parse("x = 1")}
    assert _twins(modules) == {"same": ["a.b", "a.c"]}


def _twins(modules: dict[str, ast.Module]) -> dict[str, list[str]]:
    """Public functions and classes that several modules define under one name, but for those of COMMANDS."""
    found: dict[str, list[str]] = {}
    for module, tree in modules.items():
        for node in tree.body:
            named = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            if named and not node.name.startswith("_") and not (".cli." in module and node.name in COMMANDS):
                found.setdefault(node.name, []).append(module)
    return {name: places for name, places in found.items() if len(places) > 1}


def test_the_ground_floor_is_not_crowded() -> None:
    """18 files beside one another, folders by topic: eight, and photo/, face/, markup/, video/ and bulk/.

    photo/ is for hostile files, face/ for a face's uses, markup/ for schemes of landmarks with their files; video/ and
    bulk/ stand on detection, and on them the command line alone.
    """
    inside = [path for path in ROOT.iterdir() if path.name != "__pycache__"]
    folders = {path.name for path in inside if path.is_dir() and (path / "__init__.py").exists()}
    assert len([path for path in inside if path.is_file()]) <= 18
    assert len(folders - {"photo", "face", "markup", "video", "bulk"}) <= 8


def test_no_module_is_long() -> None:
    assert _longer_than(300, ROOT) == {}


def test_modules_of_the_same_name_do_not_hide_one_another(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "same.py").write_text("1\n" * 9)
    (tmp_path / "b" / "same.py").write_text("1\n" * 8)
    assert _longer_than(8, tmp_path) == {"a/same.py": 9}
    assert _longer_than(7, tmp_path) == {"a/same.py": 9, "b/same.py": 8}


def _longer_than(lines: int, root: Path) -> dict[str, int]:
    """Path below the root to number of lines, for every longer module."""
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in root.rglob("*.py")}
    return {path.relative_to(root).as_posix(): length for path, length in lengths.items() if length > lines}
