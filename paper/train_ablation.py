"""Train the ablation's rows, measure each on 300W, keep what the tables need: `python -m paper.train_ablation`.

A row is a file of configs/ablation/. Of each row and seed are kept the errors per photo, from official boxes, and the
log of its training. What is complete is not done again, and what was interrupted goes on.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from occlumark.config import load
from occlumark.detect import Detector
from occlumark.errors import OcclumarkError
from occlumark.export.landmarks import export
from occlumark.files import written_whole
from occlumark.train.checkpoint import load_checkpoint
from occlumark.train.config import LandmarkConfig
from occlumark.train.landmark_task import LandmarkTask
from occlumark.train.loop import train
from paper import table4
from paper.measure import errors_on_300w

ROOT = Path(__file__).parents[1]
CONFIGS = ROOT / "configs" / "ablation"
#: In the order in which they are trained; the large ones when they are named.
SMALL = (*table4.ROWS, *table4.TRIALS)
ROWS = (*SMALL, *table4.LARGE)


def run_row(row: str, seed: int, args: argparse.Namespace) -> bool:
    """Train a row from a seed, measure it, keep its log; False where all of that was already done.

    Raises:
        OcclumarkError: the configuration, the pack, the photos or an earlier run do not fit.
    """
    name = f"ablation-{row}-seed{seed}"
    run, table = args.runs / name, args.docs / "results" / "errors" / f"{name}.csv"
    config = load(LandmarkConfig, CONFIGS / f"{row}.toml", [*args.overrides, f"seed={seed}"])
    checkpoint = run / "checkpoint.safetensors"
    if not _is_trained(checkpoint, config):
        train(LandmarkTask(config, args.pack), run, resume=checkpoint.exists(), device=args.device)
    elif table.exists() and table.stat().st_mtime >= checkpoint.stat().st_mtime:
        return False
    with written_whole(_in_folder(args.docs / "logs" / f"{name}.jsonl")) as file:
        file.write((run / "log.jsonl").read_bytes())
    network = run / "network.onnx"
    export(checkpoint, network)
    errors_on_300w(args.photos, Detector(weights=network, recrop="never"), "official").write(_in_folder(table))
    return True


def _is_trained(checkpoint: Path, config: LandmarkConfig) -> bool:
    if not checkpoint.exists():
        return False
    found = load_checkpoint(checkpoint)
    # another configuration is told by the training that resumes it
    return found.config == config and found.epoch == config.optimiser.epochs


def _in_folder(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m paper.train_ablation",
        description="Train the ablation's rows and measure each on 300W's Common and Challenging photos.",
        epilog="example: python -m paper.train_ablation --pack train.pack --photos 300w --seeds 0 1 2 --device cuda",
    )
    parser.add_argument("--pack", type=Path, required=True, help="the training photos, of occlumark pack")
    parser.add_argument("--photos", type=Path, required=True, help="300W: lfpw/testset, helen/testset and ibug")
    parser.add_argument("--rows", nargs="+", default=SMALL, choices=ROWS, metavar="ROW", help="some of the rows alone")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0], help="all rows from one, then from the next")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "ablation", help="folder of the runs")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="gets results/errors/*.csv and logs/*.jsonl")
    parser.add_argument("--device", default="", help="cpu or cuda; default: cuda where there is one")
    parser.add_argument(
        "--set", dest="overrides", action="append", default=[], metavar="a.b=c", help="override a key in every row"
    )
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run all; returns the exit code."""
    args = _parser().parse_args(arguments)
    try:
        for seed in args.seeds:
            for row in args.rows:
                print(f"{row}, seed {seed}: {'done' if run_row(row, seed, args) else 'was complete'}", flush=True)
    except OcclumarkError as error:
        print(f"train_ablation: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
