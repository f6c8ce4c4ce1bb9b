"""Fine-tuning the landmark network on photos of your own, to an ONNX file that detects.

python examples/train_on_own_photos.py my-photos/ mine.onnx

A face is NAME.pts, 68 points, beside NAME.jpg (docs/train.md, "On your own photos"). It needs PyTorch and its like:
pip install '.[train]' in a clone. A hundred photos are of use already; 5 % of them are kept for validation.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from occlumark.config import load
from occlumark.data.pack import write_pack
from occlumark.data.w300 import read_w300

try:
    from occlumark.export.landmarks import export
    from occlumark.train.config import LandmarkConfig
    from occlumark.train.landmark_task import LandmarkTask
    from occlumark.train.loop import train
except ImportError as error:
    sys.exit(f"training needs more packages: pip install '.[train]' in a clone ({error})")

CONFIG = Path(__file__).parents[1] / "configs" / "own-photos.toml"


def main(photos: Path, network: Path, overrides: Sequence[str] = ()) -> None:
    """Read, pack, train, export. What cannot be used is named; overrides are those of `occlumark train --set`."""
    samples, problems = read_w300([photos])
    for problem in problems:
        print(f"left out {problem.name}: {problem.reason}", file=sys.stderr)
    config = load(LandmarkConfig, CONFIG, list(overrides))
    with tempfile.TemporaryDirectory() as run:
        pack = Path(run) / "faces.pack"
        write_pack(samples, pack)
        checkpoint = train(LandmarkTask(config, pack), Path(run) / "run")
        export(checkpoint, network, pack_path=pack)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: python examples/train_on_own_photos.py FOLDER NETWORK.onnx [a.b=c ...]")
    main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
    print(f"detect with it: occlumark detect photo.jpg --weights {sys.argv[2]} --out faces.jpg")
