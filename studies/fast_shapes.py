"""How exact small networks of other shapes become under one short schedule, all learning from the packaged occlumark.

    python -m studies.fast_shapes --pack runs/fast.pack --out runs/shapes [--epochs 6] [--shape NAME ...]

The pack is of configs/occlumark-fast.toml. Each shape starts from features fitted to the packaged network's
(narrow_start.py), sees the same crops, and is judged on the validation faces; what is done is not done again.
network_shapes.py tells what such shapes cost.
"""

import argparse
import json
from pathlib import Path

from occlumark.config import load
from occlumark.train.config import LandmarkConfig
from occlumark.train.landmark_task import LandmarkTask
from occlumark.train.loop import train
from studies.narrow_start import write_start

CONFIG = Path(__file__).parents[1] / "configs" / "occlumark-fast.toml"

#: By name, in what a shape differs from the packaged small network's configuration.
SHAPES: dict[str, list[str]] = {
    "half width, 128 px, flattened head, refined: as packaged": [],
    "three eighths of the width": ["network.backbone.stem=24", "network.backbone.channels=[24, 48, 96, 192]"],
    "96 px": ["crop.size=96"],
    "160 px": ["crop.size=160"],
}


def screened(number: int, name: str, args: argparse.Namespace) -> dict[str, float]:
    """The last line of the log of a shape's run, trained where it is not yet."""
    run = args.out / str(number)
    start = args.out / f"{number}.safetensors"
    schedule = [f"optimiser.epochs={args.epochs}", f"optimiser.validate_every={args.epochs}"]
    overrides = [*SHAPES[name], *schedule, "optimiser.ema_decay=0.98"]
    if not start.exists():
        args.out.mkdir(parents=True, exist_ok=True)
        for line in write_start(load(LandmarkConfig, CONFIG, [*overrides, 'start=""']), args.pack, start):
            print(line, flush=True)
    config = load(LandmarkConfig, CONFIG, [*overrides, f"start={json.dumps(str(start))}"])
    train(LandmarkTask(config, args.pack), run, resume=(run / "checkpoint.safetensors").exists(), device="cpu")
    last: dict[str, float] = json.loads((run / "log.jsonl").read_text().splitlines()[-1])
    return last


def main() -> None:
    """Print a table in Markdown: NME x 10^-2 and AP in per cent on the validation faces."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--epochs", type=int, default=6)
    parser.add_argument("--shape", action="append", choices=SHAPES, metavar="NAME", help="some of them alone")
    args = parser.parse_args()
    for number, name in enumerate(SHAPES):
        if args.shape and name not in args.shape:
            continue
        last = screened(number, name, args)
        parts = [100 * last.get(f"validation/{key}", float("nan")) for key in ("nme", "nme_occluded", "real_ap")]
        print(f"| {name} | {' | '.join(f'{part:.2f}' for part in parts)} |", flush=True)


if __name__ == "__main__":
    main()
