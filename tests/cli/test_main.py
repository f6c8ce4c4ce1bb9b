import contextlib
import io
import os
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest

import occlumark
from occlumark.__main__ import start
from occlumark.cli import detect
from occlumark.cli import main as cli
from occlumark.cli.main import build_parser, main
from occlumark.cli.options import network_options
from occlumark.errors import OcclumarkError
from occlumark.finder import SCORE

COMMANDS = [
    "detect",
    "train",
    "evaluate",
    "evaluate-finder",
    "evaluate-occlusion",
    "evaluate-visibility",
    "export",
    "pack",
    "background",
    "demo",
    "occluders",
    "check-data",
    "video",
    "bulk",
]


def test_exactly_these_commands():
    (commands,) = [action for action in build_parser()._actions if action.dest == "command"]
    assert sorted(commands.choices) == sorted(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_carries_an_example(command, capsys):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    assert f"occlumark {command} " in capsys.readouterr().out.split("example")[-1]


@pytest.mark.parametrize("arguments", [[], ["detekt"], ["detect"], ["detect", "a.jpg", "--thread", "x"]])
def test_wrong_usage_is_2(arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2 and "usage: occlumark" in capsys.readouterr().err


def test_version(capsys):
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"occlumark {occlumark.__version__}\n"


@pytest.fixture
def failing(monkeypatch):
    """Let `occlumark detect` raise an error of the test's choice."""

    def fail_with(error: BaseException) -> None:
        def run(args):
            raise error

        monkeypatch.setattr(detect, "run", run)

    return fail_with


def test_a_users_mistake_is_one_line_and_1(failing, capsys):
    failing(OcclumarkError("what was expected, what came"))
    assert main(["detect", "a.jpg"]) == 1
    assert capsys.readouterr() == ("", "occlumark: what was expected, what came\n")


@pytest.mark.parametrize("arguments", [["--debug", "detect", "a.jpg"], ["detect", "a.jpg", "--debug"]])
def test_debug_shows_the_traceback(failing, arguments):
    failing(OcclumarkError("a mistake"))
    with pytest.raises(OcclumarkError, match="a mistake"):
        main(arguments)


def test_interrupt_is_one_line_and_exit_code_130(failing, capsys):
    failing(KeyboardInterrupt())
    assert main(["detect", "a.jpg"]) == 130
    assert capsys.readouterr() == ("", "occlumark: interrupted\n")


def test_our_own_mistakes_keep_their_traceback(failing):
    failing(ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        main(["detect", "a.jpg"])


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (OSError(28, "No space left on device"), "No space left on device"),
        (OSError(13, "Permission denied", "a.jpg"), "a.jpg: Permission denied"),
        (OSError("cannot say why"), "cannot say why"),
        (BrokenPipeError(32, "Broken pipe"), "Broken pipe"),
    ],
)
def test_an_error_of_another_file_is_not_put_on_standard_output(failing, capsys, error, line):
    failing(error)
    assert main(["detect", "a.jpg"]) == 1
    assert capsys.readouterr() == ("", f"occlumark: {line}\n")


class FullDisk(io.RawIOBase):
    full = True

    def writable(self):
        return True

    def write(self, content):
        if self.full:
            raise OSError(28, "No space left on device")
        return len(content)


@pytest.mark.parametrize("written", ["short", "long " * 10_000])
def test_failing_output_is_one_line(monkeypatch, capsys, written):
    """Short output fails when it is flushed, long output when it is written."""
    disk = FullDisk()
    full = io.TextIOWrapper(io.BufferedWriter(disk))
    monkeypatch.setattr(sys, "stdout", full)
    monkeypatch.setattr(detect, "run", lambda args: print(written) or 0)
    assert main(["detect", "a.jpg"]) == 1
    assert sys.stdout is full
    assert capsys.readouterr().err == "occlumark: standard output: No space left on device\n"
    disk.full = False
    full.close()  # writes what is left


def occlumark_command(*arguments: str, **options) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "occlumark", *arguments]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, **options)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full, a full disk")  # noqa: PTH110
def test_a_full_disk_behind_standard_output(dot_network, request):
    sample = request.config.rootpath / "occlumark/samples/astronaut.jpg"
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = occlumark_command("detect", str(sample), "--weights", str(dot_network), stdout=full)
    assert (done.returncode, done.stderr) == (1, "occlumark: standard output: No space left on device\n")


def test_a_reader_that_has_gone(dot_network, request):
    sample = request.config.rootpath / "occlumark/samples/astronaut.jpg"
    read_end, write_end = os.pipe()
    os.close(read_end)
    with os.fdopen(write_end, "w") as gone:
        done = occlumark_command("detect", str(sample), "--weights", str(dot_network), stdout=gone)
    assert (done.returncode, done.stderr) == (1, "")


INTERRUPTED_IMPORT = """
import runpy, signal, sys
class Interrupting:
    left = int(sys.argv[1])
    def find_spec(self, name, path, target=None):
        self.left -= 1
        if self.left == 0:
            signal.raise_signal(signal.SIGINT)
first = Interrupting()
sys.argv[1:] = ["detect", sys.argv[2], "--json"]
import occlumark.__main__
sys.meta_path.insert(0, first)
sys.exit(occlumark.__main__.start())
"""


@pytest.mark.parametrize("n", [1, 2, 30, 90, 150, 200, 250])
def test_ctrl_c_while_the_nth_module_is_imported(n, request):
    """Of some 290 modules that detection imports, ONNX Runtime, NumPy, OpenCV and Pillow among them."""
    sample = request.config.rootpath / "occlumark/samples/astronaut.jpg"
    command = [sys.executable, "-c", INTERRUPTED_IMPORT, str(n), str(sample)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "occlumark: interrupted\n")


def test_what_an_interrupted_import_raises_is_not_shown(monkeypatch, capsys):
    """Extension modules turn an interrupt while they are loaded into errors of their own."""

    def swallow():
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        raise SystemError("initialization of _x raised unreported exception")

    monkeypatch.setattr(cli, "main", swallow)
    before = signal.getsignal(signal.SIGINT)
    try:
        assert start() == 130
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN  # Python's own end is not interrupted
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr() == ("", "occlumark: interrupted\n")


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
@pytest.mark.parametrize(
    ("closed", "said"),
    [(">&-", "occlumark: standard output is closed; send it to a file or to /dev/null\n"), ("2>&-", "")],
)
def test_a_closed_stream(closed, said, request):
    sample = request.config.rootpath / "occlumark/samples/coffee.jpg"
    command = f"'{sys.executable}' -m occlumark detect '{sample}' {'no.jpg' if not said else ''} {closed}"
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr == said
    assert "No such" not in done.stdout and "occlumark:" not in done.stdout


UNSEEN = "a\x1b[31m\r\n\u202eb.jpg"
SEEN = r"a\x1b[31m\r\n\u202eb.jpg"


def test_file_names_are_printed_with_what_is_unseen_in_them_escaped(tmp_path, dot_network, capsys):
    (tmp_path / UNSEEN).write_bytes(b"no photo")
    options = ["--weights", str(dot_network)]
    assert main(["detect", str(tmp_path / UNSEEN), *options]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{tmp_path}/{SEEN}" in line
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((40, 40, 3), np.uint8))
    (tmp_path / "a.png").rename(tmp_path / UNSEEN)
    assert main(["detect", str(tmp_path / UNSEEN), *options, "--box", "1", "1", "20", "20"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"{tmp_path}/{SEEN}: face 1, ")
    assert main(["detect", str(tmp_path / UNSEEN), *options]) == 0
    assert capsys.readouterr().err == f"occlumark: no face found in {tmp_path}/{SEEN}\n"


def test_wrong_usage_shows_what_is_unseen_in_an_argument(capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["detect", "a.jpg", f"--{UNSEEN}"])
    assert capsys.readouterr().err.endswith(f"unrecognized arguments: --{SEEN}\n")


@pytest.mark.parametrize(
    "arguments",
    [
        *(["detect", "a.jpg", "--threads", n] for n in ("0", "-1", "99999999999999", "9" * 5000, "1e3", "nan")),
        ["train", "--pack", "a.pack", "--out", "run", "--threads", "99999999999999"],
        ["evaluate", "DIR", "--limit", "99999999999999999999"],
        ["evaluate", "DIR", "--occlude", "99999999999999999999"],
        ["evaluate", "DIR", "DIR", "--dataset", "wflw"],
        ["pack", "DIR", "DIR", "--out", "a.pack", "--dataset", "wflw"],
    ],
)
def test_wrong_usage_is_2_in_every_command(arguments, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert f"usage: occlumark {arguments[0]}" in capsys.readouterr().err


def test_help_imports_nothing_heavy():
    code = """
import sys
from occlumark.cli.main import build_parser
build_parser()
heavy = ("torch", "onnxruntime", "cv2", "PIL", "tqdm", "jaxtyping")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_choices_and_defaults_are_the_librarys():
    """They are written out on the command line, because importing them would slow `occlumark --help`."""
    from occlumark.data.pack import PackConfig
    from occlumark.evaluation.loop import BOX_SOURCES
    from occlumark.metrics.landmarks import NORMALISERS
    from occlumark.photo import MAX_PIXELS

    (commands,) = [action for action in build_parser()._actions if action.dest == "command"]
    of_evaluate = {action.dest: action for action in commands.choices["evaluate"]._actions}
    assert of_evaluate["box"].choices == BOX_SOURCES and of_evaluate["normaliser"].choices == NORMALISERS
    packing = commands.choices["pack"].parse_args(["photos", "--out", "x.pack"])
    assert PackConfig(packing.size, packing.extent) == PackConfig()
    assert commands.choices["detect"].parse_args(["a.jpg"]).max_pixels == MAX_PIXELS


@pytest.mark.parametrize("command", ["detect a.jpg", "evaluate photos", "demo"])
def test_network_options_left_out_leave_the_detectors_defaults(command, cell_finder):
    def options(*given):
        args = build_parser().parse_args([*command.split(), "--finder", str(cell_finder), *given])
        values = network_options(args)
        return values, values.pop("face_finder")

    values, finder = options()
    assert values == {}
    assert (finder.min_face, finder.score, finder.max_faces) == (None, SCORE, None)
    values, finder = options(
        "--recrop", "2", "--threads", "3", "--min-face", "40", "--score", "0.25", "--max-faces", "1"
    )
    assert values == {"recrop": 2, "threads": 3}
    assert (finder.min_face, finder.score, finder.max_faces) == (40, 0.25, 1)


@pytest.mark.parametrize(("passes", "recrop"), [("1", "never"), ("2", 1), ("4", 3)])
def test_the_old_word_for_recrop_is_taken_with_a_note(cell_finder, capsys, passes, recrop):
    args = build_parser().parse_args(["detect", "a.jpg", "--finder", str(cell_finder), "--passes", passes])
    assert network_options(args)["recrop"] == recrop
    assert capsys.readouterr().err == f"occlumark: --passes {passes} is called --recrop {recrop} now\n"


@pytest.mark.parametrize(
    ("option", "value"),
    [("--min-face", "0"), ("--min-face", "inf"), ("--score", "1.1"), ("--score", "nan"), ("--max-faces", "0")],
)
def test_finder_options_out_of_range_are_wrong_usage(option, value, capsys):
    with pytest.raises(SystemExit) as caught:
        build_parser().parse_args(["detect", "a.jpg", option, value])
    assert caught.value.code == 2 and option in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["detect", "a.jpg", "--jsn"], "occlumark detect: error: unrecognized arguments: --jsn; did you mean --json?"),
        (["video", "a.mp4", "b.mp4"], "occlumark video: error: unrecognized arguments: b.mp4"),
    ],
)
def test_an_unknown_option_is_told_by_its_command_with_one_that_is_near(arguments, said, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(arguments)
    assert capsys.readouterr().err.splitlines()[-1] == said
