"""The faults: each strikes a running command once, at a random moment."""

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

from robustness.commands import Command, start


class Fault:
    """What the kinds have in common.

    Args:
        work: the experiment's folder, with the command's folders `in` and `out`.
        dice: says when, and how large.
        seconds: a run without a fault takes.
        size: of what the command writes, in bytes.
    """

    limit: int | None = None
    """Of the size of the files that the command writes."""

    def __init__(self, work: Path, dice: random.Random, seconds: float, size: int) -> None:
        self.work, self.dice, self.seconds, self.size = work, dice, seconds, size
        self.struck, self.took_folder = False, False

    def prepare(self) -> None:
        """Before the user's files are in the folder."""

    def arm(self) -> None:
        """Before the command starts."""

    def strike(self, process: "subprocess.Popen[str]", command: Command) -> "list[subprocess.Popen[str]]":
        """While it runs; returns other processes that were started."""
        return []

    def clean_up(self) -> None:
        """When it has ended."""

    def wait(self, process: "subprocess.Popen[str]") -> bool:
        """Until a random moment; whether the command still runs then."""
        end = time.monotonic() + self.dice.uniform(0.3, 1.0) * self.seconds
        while time.monotonic() < end and process.poll() is None:
            time.sleep(0.002)
        self.struck = process.poll() is None
        return self.struck


class Killed(Fault):
    """kill -9 of the command and of all that it has started."""

    def strike(self, process: "subprocess.Popen[str]", command: Command) -> "list[subprocess.Popen[str]]":
        if self.wait(process):
            os.killpg(process.pid, signal.SIGKILL)
        return []


class Full(Fault):
    """A disk with less room than the command needs: a small tmpfs; where none may be mounted, a limit a file."""

    def prepare(self) -> None:
        mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(self.work / "out")]
        self.mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0

    def arm(self) -> None:
        room = self.dice.randrange(self.size)
        if self.mounted:
            disk = os.statvfs(self.work / "out")
            full = (disk.f_blocks - disk.f_bfree) * disk.f_frsize + room // 2
            mount = ["mount", "-o", f"remount,size={full}", str(self.work / "out")]
            subprocess.run(mount, check=True)
        else:
            self.limit = room

    def clean_up(self) -> None:
        if self.mounted:
            shutil.copytree(self.work / "out", self.work / "kept")
            subprocess.run(["umount", str(self.work / "out")], check=True)
            shutil.copytree(self.work / "kept", self.work / "out", dirs_exist_ok=True)


class ReadOnly(Fault):
    """Nothing can be made, renamed or removed in the folders any more."""

    def strike(self, process: "subprocess.Popen[str]", command: Command) -> "list[subprocess.Popen[str]]":
        if self.wait(process):
            self._change("+i", 0o555)
        return []

    def clean_up(self) -> None:
        self._change("-i", 0o755)

    def _change(self, attribute: str, mode: int) -> None:
        folders = [str(path) for path in self.work.glob("out/**/") if path.is_dir()]
        if os.geteuid() == 0:  # permissions do not bind the superuser
            subprocess.run(["chattr", attribute, *folders], check=True)
        else:
            for folder in folders:
                Path(folder).chmod(mode)


class TwoWriters(Fault):
    """The same command once more, with the same output, at the same time."""

    def strike(self, process: "subprocess.Popen[str]", command: Command) -> "list[subprocess.Popen[str]]":
        time.sleep(self.dice.uniform(0, 0.3) * self.seconds)
        self.struck = process.poll() is None
        return [start(command, self.work)]


class Vanished(Fault):
    """An input file, or the whole folder that is written to, is removed."""

    def strike(self, process: "subprocess.Popen[str]", command: Command) -> "list[subprocess.Popen[str]]":
        if self.wait(process):
            if self.dice.random() < 0.5:
                self.took_folder = True
                shutil.rmtree(self.work / "out", ignore_errors=True)
            else:
                files = (path for path in (self.work / "in").rglob("*") if path.is_file())
                # Without its .pts a photo is no face of the data set, and nothing is missing.
                self.dice.choice(sorted(path for path in files if path.suffix != ".pts")).unlink()
        return []


#: Name to kind.
FAULTS: dict[str, type[Fault]] = {
    "killed": Killed,
    "disk full": Full,
    "read-only": ReadOnly,
    "two writers": TwoWriters,
    "vanished": Vanished,
}
