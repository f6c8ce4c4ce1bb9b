"""What a run writes of its progress: log.jsonl for people and scripts, TensorBoard's scalars for looking."""

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from occlumark.errors import CheckpointError
from occlumark.files import written_whole


def epoch_line(epoch: int, epochs: int, scalars: Mapping[str, float], seconds: float) -> str:
    """What is said of an epoch where nobody sees a progress bar.

    Args:
        epoch: from 1.
        epochs: of the run.
        scalars: as in the log.
        seconds: that it took.
    """
    objective = sum(value for name, value in scalars.items() if name.startswith("objective/"))
    parts = [f"epoch {epoch}/{epochs}", f"objective {objective:.4g}"]
    parts += [f"{name} {value:.4g}" for name, value in scalars.items() if name.startswith("validation/")]
    parts += [f"{scalars['images_per_s']:.1f} images/s"] if "images_per_s" in scalars else []
    return ", ".join([*parts, f"{seconds:.0f} s"])


class RunLog:
    """The log of one run: a line of JSON an epoch.

    The lines travel in the checkpoint as well (Checkpoint.log), so that a run that ends between writing the one file
    and the other has the same epochs in both when it goes on.
    """

    def __init__(self, lines: list[str], path: Path | None, board: SummaryWriter | None) -> None:
        self.lines = lines
        self._path, self._board = path, board
        self._scalars: dict[int, Mapping[str, float]] = {}

    @classmethod
    @contextlib.contextmanager
    def open(
        cls, out: Path, resume_after: int, write: bool, checkpoint_lines: Sequence[str] = ()
    ) -> Iterator["RunLog"]:
        """Open the log in the folder `out`, made if missing.

        Args:
            out: the run's folder.
            resume_after: epochs already finished; what the log says of later ones is dropped.
            write: False makes a log that writes nothing (all processes but the first).
            checkpoint_lines: of the last epochs finished, from the checkpoint. Where they are fewer, as in checkpoints
                of older versions, the earlier ones are the file's.

        Raises:
            OcclumarkError: the folder cannot be made or written.
        """
        if not write:
            yield cls([], None, None)
            return
        path = out / "log.jsonl"
        try:
            out.mkdir(parents=True, exist_ok=True)
            older = path.read_bytes().decode(errors="replace").splitlines() if path.exists() else []
        except OSError as error:
            raise CheckpointError(f"cannot write the run's folder {out}: {error.strerror}") from error
        kept = list(checkpoint_lines)[:resume_after]
        lines = [*older[: resume_after - len(kept)], *kept]
        with _no_traceback_of_tensorboard():
            board = SummaryWriter(str(out), purge_step=resume_after + 1)
            try:
                log = cls(lines, path, board)
                log.write()
                yield log
            finally:
                board.close()

    def add(self, epoch: int, scalars: Mapping[str, float]) -> None:
        """A line for epoch `epoch` (from 1), to be written by `write`."""
        line = {"epoch": epoch} | {name: float(f"{value:.6g}") for name, value in scalars.items()}
        self.lines.append(json.dumps(line))
        self._scalars[epoch] = scalars

    def write(self) -> None:
        """Write all lines to the file, whole or not at all, and what was added to TensorBoard.

        Raises:
            OcclumarkError: the disk is full, or the folder has gone.
        """
        if self._path is None or self._board is None:
            return
        with written_whole(self._path) as file:
            file.write("".join(f"{line}\n" for line in self.lines).encode())
        for epoch, scalars in self._scalars.items():
            for name, value in scalars.items():
                self._board.add_scalar(name, value, epoch)
        self._scalars.clear()


@contextlib.contextmanager
def _no_traceback_of_tensorboard() -> Iterator[None]:
    """What fails in TensorBoard's own thread, it raises again in the one that writes: it need not print it before."""
    before = threading.excepthook

    def told_elsewhere(failed: threading.ExceptHookArgs) -> None:
        if not type(failed.thread).__module__.startswith("tensorboard."):
            before(failed)

    threading.excepthook = told_elsewhere
    try:
        yield
    finally:
        threading.excepthook = before
