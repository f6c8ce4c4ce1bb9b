"""The commands that faults strike: what each is given, and what it may have written at any moment."""

import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

SAMPLE = Path(__file__).parents[1] / "occlumark" / "samples" / "astronaut.jpg"
_PHOTOS, _EPOCHS = 8, 3
_TRAINING = ["crop.size=64", f"optimiser.epochs={_EPOCHS}", "optimiser.batch=4", "optimiser.precision=fp32"]
_TRAINING += ["workers=0", "validation_share=0.25"]


class Run(NamedTuple):
    """A command that has ended."""

    code: int
    out: str
    err: str


#: Of files by name as found, and as a run without a fault leaves them; the runs; and whether a fault has struck: what
#: is wrong, a line each.
Check = Callable[[dict[str, bytes], dict[str, bytes], list[Run], bool], list[str]]


class Command(NamedTuple):
    """A command of occlumark."""

    name: str
    arguments: Callable[[Path, Path], list[str]]
    """Of the folder to read and the folder to write."""
    wrong: Check
    replaces: bool = True
    """Whether it writes over an older version of its files."""


def make_inputs(folder: Path) -> Path:
    """Photos of a face with the landmarks that are found in them, a pack of them and a checkpoint."""
    from PIL import Image

    from occlumark import Detector, read_photo

    photos = folder / "photos"
    photos.mkdir(parents=True)
    detector, sample = Detector(threads=1), Image.fromarray(read_photo(SAMPLE))
    for i in range(_PHOTOS):
        path = photos / f"photo{i}.jpg"
        sample.crop((110 - 4 * i, 20, 350 - 4 * i, 260)).save(path, quality=90)
        (face,) = detector.detect(path, [[80 + 4 * i, 80, 155 + 4 * i, 155]])
        points = "\n".join(f"{x + 0.5:.3f} {y + 0.5:.3f}" for x, y in face.landmarks)
        path.with_suffix(".pts").write_text(f"version: 1\nn_points: 68\n{{\n{points}\n}}\n")
    run = finish(_popen(["pack", str(photos), "--out", str(folder / "faces.pack"), "--size", "96"]))
    run = finish(_popen(_train(folder, folder / "run"))) if not run.code else run
    if run.code:
        raise SystemExit(f"no inputs could be made: {run.err}")
    (folder / "run" / "checkpoint.safetensors").rename(folder / "checkpoint.safetensors")
    for path in (folder / "run").iterdir():
        path.unlink()
    (folder / "run").rmdir()
    return folder


def start(command: Command, work: Path, limit: int | None = None) -> "subprocess.Popen[str]":
    """The command in a process of its own, which writes no file that is longer than the limit."""
    return _popen(command.arguments(work / "in", work / "out"), limit)


def _popen(arguments: list[str], limit: int | None = None) -> "subprocess.Popen[str]":
    def set_limit() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [sys.executable, "-m", "occlumark", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ
        | {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},  # exported files keep the order of their nodes
        preexec_fn=set_limit,
        start_new_session=True,
    )


def finish(process: "subprocess.Popen[str]") -> Run:
    """Wait for a command."""
    out, err = process.communicate(timeout=900)
    return Run(process.returncode, out, err)


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder; TensorBoard's, which only grow, are left out."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file() and "tfevents" not in path.name]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _different(found: dict[str, bytes], expected: dict[str, bytes], runs: list[Run], has_fault: bool) -> list[str]:
    return [f"{name} is neither whole nor the older version" for name in found if found[name] != expected[name]]


def _pack_wrong(found: dict[str, bytes], expected: dict[str, bytes], runs: list[Run], has_fault: bool) -> list[str]:
    """As _different, but where a photo has vanished and is listed, a whole pack of the others."""
    problems = _different(found, expected, runs, has_fault)
    if not (problems and has_fault and "left out" in runs[0].err):
        return problems
    from occlumark.data.pack import Pack

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "faces.pack"
        path.write_bytes(found["faces.pack"])
        fewer = _PHOTOS - runs[0].err.count("left out")
        return [] if len(Pack.open(path)) == fewer else [f"the pack is not of {fewer} faces"]


def _table_wrong(found: dict[str, bytes], expected: dict[str, bytes], runs: list[Run], has_fault: bool) -> list[str]:
    """As _different, but where a photo has vanished and is listed, a whole table of the others."""
    problems = _different(found, expected, runs, has_fault)
    if not (problems and has_fault and "skipped" in runs[0].err):
        return problems
    rows, whole = found["errors.csv"].splitlines(True), expected["errors.csv"].splitlines(True)
    fewer = len(whole) - runs[0].err.count("skipped")
    return [] if len(rows) == fewer and set(rows) <= set(whole) else [f"the table is not of {fewer - 1} faces"]


def _detect_wrong(found: dict[str, bytes], expected: dict[str, bytes], runs: list[Run], has_fault: bool) -> list[str]:
    problems = _different(found, expected, runs, has_fault)
    if len(runs) > 1:
        return problems
    lines = runs[0].out.splitlines(keepends=True)
    told = [Path(json.loads(line)["photo"]).stem for line in lines if line.endswith("\n")]
    drawn = [name.removesuffix("-faces.jpg") for name in found]
    lost = set(drawn) - set(told)
    if len(lost) > 1:
        problems.append(f"the lines of {len(lost)} photos are lost whose pictures are written")
    if has_fault and runs[0].code == 1:
        failed = [line for line in runs[0].err.splitlines() if line.startswith("occlumark: cannot")]
        if len(told) + len(failed) != _PHOTOS:
            problems.append(f"{len(told)} photos told and {len(failed)} failed are not {_PHOTOS}: {runs[0].err[-300:]}")
    return problems


def _train_wrong(found: dict[str, bytes], expected: dict[str, bytes], runs: list[Run], has_fault: bool) -> list[str]:
    from safetensors.torch import load

    problems, epoch = [], 0
    if "run/checkpoint.safetensors" in found:
        header, tensors = _parts(found["run/checkpoint.safetensors"])
        epoch = header["epoch"]
        if epoch == _EPOCHS:
            whole = load(expected["run/checkpoint.safetensors"])
            if tensors.keys() != whole.keys() or not all(np.array_equal(tensors[n], whole[n].numpy()) for n in whole):
                problems.append("the weights are not those of a run without a fault")
        if [json.loads(line)["epoch"] for line in header["log"]] != list(range(1, epoch + 1)):
            problems.append("the checkpoint's log is not of its epochs")
    log = found.get("run/log.jsonl", b"").splitlines()
    if [json.loads(line)["epoch"] for line in log] != list(range(1, len(log) + 1)) or not epoch - 1 <= len(
        log
    ) <= epoch:
        problems.append(f"the log has {len(log)} lines, the checkpoint {epoch} epochs")
    # Both end well where the second got to the folder when the first had ended, and resumed it.
    if len(runs) > 1 and sorted(run.code for run in runs) not in ([0, 1], [0, 0]):
        problems.append(f"of two runs in one folder {[run.code for run in runs]} is the end")
    return problems


def _parts(checkpoint: bytes) -> tuple[dict, dict[str, np.ndarray]]:
    from safetensors.torch import load

    size = int.from_bytes(checkpoint[:8], "little")
    header = json.loads(json.loads(checkpoint[8 : 8 + size])["__metadata__"]["occlumark"])
    return header, {name: tensor.numpy() for name, tensor in load(checkpoint).items()}


def _train(inputs: Path, run: Path) -> list[str]:
    sets = [argument for value in _TRAINING for argument in ("--set", value)]
    resume = ["--resume"] if (run / "checkpoint.safetensors").exists() else []
    pack = ["--pack", str(inputs / "faces.pack"), "--out", str(run)]
    return ["train", *pack, *sets, "--device", "cpu", "--threads", "1", *resume]


#: Name to command.
COMMANDS = {
    command.name: command
    for command in (
        Command(
            "detect",
            lambda inputs, out: ["detect", str(inputs / "photos"), "--json", "--out", str(out), "--threads", "1"],
            _detect_wrong,
        ),
        Command(
            "pack",
            lambda inputs, out: ["pack", str(inputs / "photos"), "--out", str(out / "faces.pack"), "--size", "96"],
            _pack_wrong,
        ),
        Command(
            "evaluate",
            lambda inputs, out: [
                *("evaluate", str(inputs / "photos"), "--box", "tight", "--threads", "1"),
                *("--per-photo", str(out / "errors.csv")),
            ],
            _table_wrong,
        ),
        Command("train", lambda inputs, out: _train(inputs, out / "run"), _train_wrong, replaces=False),
        Command(
            "export",
            lambda inputs, out: ["export", str(inputs / "checkpoint.safetensors"), "--out", str(out / "net.onnx")],
            _different,
        ),
    )
}
