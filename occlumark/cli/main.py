"""occlumark: the command line. Results go to standard output, everything else to standard error."""

import argparse
import contextlib
import difflib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn, TextIO, cast

import occlumark
from occlumark.cli import (
    background,
    bulk,
    check_data,
    demo,
    detect,
    evaluate,
    evaluate_finder,
    evaluate_occlusion,
    evaluate_visibility,
    export,
    occluders,
    pack,
    train,
    video,
)
from occlumark.errors import OcclumarkError, one_line

_COMMANDS = (
    detect,
    video,
    bulk,
    demo,
    train,
    evaluate,
    evaluate_finder,
    evaluate_occlusion,
    evaluate_visibility,
    export,
    pack,
    background,
    occluders,
    check_data,
)
_STDOUT = "standard output"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: after the program's name; None: the process's own.

    Returns:
        The exit code: 0; 1 after a user's mistake or a failed photo; 130 after Ctrl-C. Wrong usage exits with 2.
    """
    if sys.stderr is None:  # closed, as by `2>&-`: print() would then take standard output for it
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123 - as long as the process
    args, unknown = build_parser().parse_known_args(arguments)
    if unknown:
        args.usage_error(_unknown(unknown, args.options))
    if sys.stdout is None:
        print("occlumark: standard output is closed; send it to a file or to /dev/null", file=sys.stderr)
        return 1
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # file names may be no text
    try:
        with contextlib.redirect_stdout(cast(TextIO, _NamedOutput(sys.stdout))):
            code: int = args.run(args)
            sys.stdout.flush()
    except OcclumarkError as error:
        return _failed(args, error, str(error))
    except OSError as error:
        if error.filename == _STDOUT:
            _drop_stdout()
            if isinstance(error, BrokenPipeError):  # whoever reads our output has seen enough, as in `... | head`
                return 1
        text = error.strerror or str(error) or type(error).__name__
        return _failed(args, error, f"{error.filename}: {text}" if error.filename else text)
    except KeyboardInterrupt:
        print("occlumark: interrupted", file=sys.stderr)
        return 130
    return code


class _Parser(argparse.ArgumentParser):
    """A parser whose messages show what is unseen in an argument."""

    def error(self, message: str) -> NoReturn:
        super().error(one_line(message))


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands."""
    parser = _Parser(
        prog="occlumark",
        description="68 facial landmarks that survive occlusion, each with its visibility.",
        epilog="example: occlumark detect family.jpg --json",
    )
    parser.add_argument("--version", action="version", version=f"occlumark {occlumark.__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_parser(commands)
    for parser_of_command in commands.choices.values():
        # Options that do not go together, which a command finds when it runs.
        options = [option for action in parser_of_command._actions for option in action.option_strings]
        parser_of_command.set_defaults(usage_error=parser_of_command.error, options=options)
        # After the command as well; SUPPRESS keeps the value given before it.
        parser_of_command.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
    return parser


def _unknown(arguments: Sequence[str], options: Sequence[str]) -> str:
    """What is said of arguments that a command does not know."""
    near = difflib.get_close_matches(arguments[0].partition("=")[0], options, 1)
    return f"unrecognized arguments: {' '.join(arguments)}" + (f"; did you mean {near[0]}?" if near else "")


class _NamedOutput:
    """Standard output that puts its name to its errors; by themselves they carry none."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with _naming_errors():
            return self._stream.write(text)

    def flush(self) -> None:
        with _naming_errors():
            self._stream.flush()


@contextlib.contextmanager
def _naming_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        error.filename = _STDOUT
        raise


def _failed(args: argparse.Namespace, error: Exception, message: str) -> int:
    if args.debug:
        raise error
    print(f"occlumark: {one_line(message)}", file=sys.stderr)
    return 1


def _drop_stdout() -> None:
    """Let what is still buffered go nowhere: Python's own flush at exit would fail again."""
    with contextlib.suppress(io.UnsupportedOperation):  # a stream without a file has nothing to flush
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
