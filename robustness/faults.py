"""Faults at random moments: nothing half-written under its final name, nothing of the user's touched, little lost.

Every fault strikes one run of a command in a folder of its own. Afterwards the command runs again, without a fault, and
must then end as the run that no fault had struck: `make faults`, or python -m robustness.faults --count 200 --seed 0.
"""

import argparse
import collections
import contextlib
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from robustness.commands import COMMANDS, Command, Run, contents, finish, make_inputs, start
from robustness.kinds import FAULTS

#: How many of a hundred faults strike each command: training and exporting take longest.
SHARES = {"detect": 45, "pack": 30, "evaluate": 12, "train": 8, "export": 5}
#: Files of the user in the folder that is written to.
USERS = {"mine.txt": b"mine", "y.jpg.partial": b"mine too", ".hidden": b"hidden"}


#: What stands under the final names before, every other time.
OLDER = b"an older version"

_LEFTOVER = re.compile(r"(.*/)?\.occlumark-[0-9a-f]{16}\.part|(.*/)?\.occlumark\.lock")


class Outcome(NamedTuple):
    """Of one fault."""

    struck: bool
    """Whether the command still ran when the fault came."""
    problems: list[str]


def main() -> int:
    """Run the faults, print a table and every promise that was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200, help="faults (default 200)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=list(COMMANDS))
    args = parser.parse_args()
    total = sum(SHARES[name] for name in args.commands)
    counts = {name: max(1, round(args.count * SHARES[name] / total)) for name in args.commands}
    broken: list[str] = []
    table = collections.Counter[tuple[str, str, str]]()
    # Ctrl-C ends it early: what has been found by then is printed.
    with contextlib.suppress(KeyboardInterrupt), tempfile.TemporaryDirectory() as folder:
        inputs = make_inputs(Path(folder) / "inputs")
        for name, count in counts.items():
            experiment = Experiment(COMMANDS[name], inputs, Path(folder))
            for number in range(count):
                fault = list(FAULTS)[number % len(FAULTS)]
                outcome = experiment.strike(fault, random.Random(f"{args.seed} {name} {number}"))
                table[name, fault, "faults"] += 1
                table[name, fault, "struck"] += outcome.struck
                broken += [f"{name}, {fault}, number {number}: {problem}" for problem in outcome.problems]
                print(f"\r{name} {number + 1}/{count}", end="", file=sys.stderr, flush=True)
    _print(table)
    faults = sum(count for (_, _, what), count in table.items() if what == "faults")
    print(f"\n{len(broken)} promises broken by {faults} faults, seed {args.seed}")
    print("\n".join(broken))
    return 1 if broken else 0


def _print(table: "collections.Counter[tuple[str, str, str]]") -> None:
    names = list(dict.fromkeys(name for name, _, _ in table))
    print(f"\n| | {' | '.join(FAULTS)} |\n|---|{'---|' * len(FAULTS)}")
    for name in names:
        cells = [f"{table[name, fault, 'struck']} of {table[name, fault, 'faults']}" for fault in FAULTS]
        print(f"| {name} | {' | '.join(cells)} |")


class Experiment:
    """One command: what it writes when nothing happens, and faults while it runs."""

    def __init__(self, command: Command, inputs: Path, folder: Path) -> None:
        self.command, self.inputs, self.folder = command, inputs, folder
        with self._work() as work:
            began = time.monotonic()
            run = finish(start(command, work))
            self.seconds = time.monotonic() - began
            if run.code:
                raise SystemExit(f"{command.name} fails without a fault: {run.err}")
            self.expected = contents(work / "out")

    @contextlib.contextmanager
    def _work(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            work = Path(folder)
            shutil.copytree(self.inputs, work / "in")
            (work / "out").mkdir()
            yield work

    def strike(self, kind: str, dice: random.Random) -> Outcome:
        """Run the command with a fault, look at what is there, run it again and look at that."""
        with self._work() as work:
            out = work / "out"
            fault = FAULTS[kind](work, dice, self.seconds, sum(map(len, self.expected.values())))
            fault.prepare()
            try:
                for name, content in USERS.items():
                    (out / name).write_bytes(content)
                for name in self.expected if self.command.replaces and dice.random() < 0.5 else ():
                    (out / name).write_bytes(OLDER)
                fault.arm()
                process = start(self.command, work, fault.limit)
                others = fault.strike(process, self.command)
                runs = [finish(process), *map(finish, others)]
            finally:
                fault.clean_up()
            problems = [f"a traceback: {run.err[-400:]}" for run in runs if "Traceback" in run.err]
            problems += [f"exit code {run.code}: {run.err[-400:]}" for run in runs if run.code not in (0, 1, -9)]
            struck = fault.struck or any(runs[0].code for _ in runs)
            if not fault.took_folder:
                problems += [f"{name} is not as it was" for name in USERS if contents(out).get(name) != USERS[name]]
            problems += self._look(out, runs, kind)
            shutil.copytree(self.inputs, work / "in", dirs_exist_ok=True)
            out.mkdir(exist_ok=True)
            again = finish(start(self.command, work))
            problems += [f"it does not run again: {again.err[-400:]}"] if again.code else []
            problems += [f"after running again: {line}" for line in self._look(out, [again], "")]
            return Outcome(struck, problems)

    def _look(self, out: Path, runs: list[Run], kind: str) -> list[str]:
        """What is not as it should be under the final names; kind "": nothing has struck."""
        found = {name: content for name, content in contents(out).items() if name not in USERS}
        problems = [] if kind else [f"{name} is missing in the end" for name in self.expected if name not in found]
        written = {}
        for name, content in found.items():
            if _LEFTOVER.fullmatch(name):
                # Nobody can take away what a killed process leaves, or what lies in a folder that is not to be changed.
                if kind not in ("killed", "read-only", "vanished"):
                    problems.append(f"{name} is left over")
            elif name not in self.expected:
                problems.append(f"{name} was not to be written")
            elif not (content == OLDER and kind):
                written[name] = content
        return problems + self.command.wrong(written, self.expected, runs, bool(kind))


if __name__ == "__main__":
    sys.exit(main())
