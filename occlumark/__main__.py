"""`occlumark` and `python -m occlumark`: the command line, with Ctrl-C answered from its first line to its last."""

import signal
import sys
from types import FrameType


def start() -> int:
    """Run the command line.

    Returns:
        The exit code: of cli.main.main, or 130 after Ctrl-C.
    """
    interrupted = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal interrupted
        interrupted = True
        raise KeyboardInterrupt

    code = 130
    try:
        # In a background job of a shell Ctrl-C is ignored, and stays so.
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, interrupt)
        from occlumark.cli.main import main

        code = main()
    except BaseException:
        # An import that is interrupted may raise anything: extension modules turn it into errors of their own.
        if not interrupted:
            raise
        print("occlumark: interrupted", file=sys.stderr)
    # What is left is Python's own end, which takes a second with torch: nothing in it may raise.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return code


if __name__ == "__main__":
    sys.exit(start())
