"""Training the landmark network on photos of your own, and detecting with what came out.

python examples/train_on_own_photos.py my-photos/ mine.onnx

A face is NAME.pts, 68 points, beside NAME.jpg (docs/train.md, "On your own photos"). It needs PyTorch and its like:
pip install 'occlumark[train]'. A few hundred photos and ImageNet's ResNet-18 (imagenet=) are the least for a
network that is of use.
"""

import sys
import tempfile
from pathlib import Path

from occlumark.data.pack import write_pack
from occlumark.data.w300 import read_w300
from occlumark.export.landmarks import export
from occlumark.train.config import LandmarkConfig
from occlumark.train.landmark_task import LandmarkTask
from occlumark.train.loop import train

CONFIG = LandmarkConfig(name="mine")  # imagenet="resnet18.safetensors", by torchvision's names


def main(photos: Path, network: Path, config: LandmarkConfig = CONFIG) -> None:
    """Read, pack, train, export. What cannot be used is named."""
    samples, problems = read_w300([photos])
    for problem in problems:
        print(f"left out {problem.name}: {problem.reason}", file=sys.stderr)
    with tempfile.TemporaryDirectory() as run:
        pack = Path(run) / "faces.pack"
        write_pack(samples, pack)
        export(train(LandmarkTask(config, pack), Path(run) / "run"), network)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python examples/train_on_own_photos.py FOLDER NETWORK.onnx")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
    print(f"detect with it: occlumark detect photo.jpg --weights {sys.argv[2]} --out faces.jpg")
