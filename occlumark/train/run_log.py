"""What a run writes of its progress: log.jsonl for people and scripts, TensorBoard's scalars for looking."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from occlumark.errors import CheckpointError
from occlumark.files import written_whole


class RunLog:
    """The log of one run."""

    def __init__(self, log: Path | None, board: SummaryWriter | None) -> None:
        self._log, self._board = log, board

    @classmethod
    @contextlib.contextmanager
    def open(cls, out: Path, resume_after: int, write: bool) -> Iterator["RunLog"]:
        """Open the log in the folder `out`, made if missing.

        Args:
            out: the run's folder.
            resume_after: epochs already finished; what the log says of later ones is dropped.
            write: False makes a log that writes nothing (all processes but the first).

        Raises:
            CheckpointError: the folder cannot be made or written.
        """
        if not write:
            yield cls(None, None)
            return
        log = out / "log.jsonl"
        try:
            out.mkdir(parents=True, exist_ok=True)
            lines = log.read_text(encoding="utf-8").splitlines()[:resume_after] if log.exists() else []
            with written_whole(log) as file:
                file.write("".join(f"{line}\n" for line in lines).encode())
        except OSError as error:
            raise CheckpointError(f"cannot write the run's folder {out}: {error.strerror}") from error
        board = SummaryWriter(str(out), purge_step=resume_after + 1)
        try:
            yield cls(log, board)
        finally:
            board.close()

    def write(self, epoch: int, scalars: Mapping[str, float]) -> None:
        """One line for epoch `epoch` (from 1), and each scalar to TensorBoard.

        Raises:
            CheckpointError: the disk is full.
        """
        if self._log is None or self._board is None:
            return
        line = {"epoch": epoch} | {name: float(f"{value:.6g}") for name, value in scalars.items()}
        try:
            with self._log.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise CheckpointError(f"cannot write {self._log}: {error.strerror}") from error
        for name, value in scalars.items():
            self._board.add_scalar(name, value, epoch)
