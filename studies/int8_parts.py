"""What 8 bits cost, by the parts of the network that are in them: time, and how far the answers are from those in 32.

    python studies/int8_parts.py --pack real.pack [--weights FILE.onnx] [--faces 200]

Ranges are those of training crops; validation faces are measured, in their boxes, without re-cropping. The time is
CPU time of one thread over that in 32 bits, which other jobs disturb less than what a clock shows.
"""

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from occlumark.config import from_mapping
from occlumark.crop import CropConfig
from occlumark.data.pack import Pack
from occlumark.data.split import split_validation
from occlumark.export.int8 import INT8_PARTS, PARTS, quantized
from occlumark.export.landmarks import INT8_CROPS
from occlumark.network_file import METADATA_KEY
from occlumark.packaged import packaged_weights
from occlumark.train.config import LandmarkConfig
from occlumark.train.face_dataset import official_box, validation_batches

#: What is compared: the default, each part alone, the default with one more, and all.
SETS = [
    INT8_PARTS,
    *((part,) for part in INT8_PARTS),
    *((*INT8_PARTS, part) for part in PARTS if part not in INT8_PARTS),
    PARTS,
]
_BATCH = 8


def answers(model: onnx.ModelProto, crops: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Landmarks (n, L, 2) in crop pixels, visibility (n, L), and CPU ms a face on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    session.run(None, {"crops": crops[:_BATCH]})  # the first is slower
    start = time.process_time()
    parts = [
        session.run(["landmarks", "visibility"], {"crops": crops[i : i + _BATCH]}) for i in range(0, len(crops), _BATCH)
    ]
    elapsed_s = time.process_time() - start
    landmarks, visibility = (np.concatenate(part) for part in zip(*parts, strict=True))
    return landmarks, visibility, 1000 * elapsed_s / len(crops)


def some(indices: np.ndarray, count: int) -> np.ndarray:
    """At most so many, from all over."""
    return indices[np.unique(np.linspace(0, len(indices) - 1, count).astype(int))]


def rows(model: onnx.ModelProto, pack: Pack, faces: int) -> Iterator[str]:
    """A table's rows, in Markdown."""
    metadata = json.loads({entry.key: entry.value for entry in model.metadata_props}[METADATA_KEY])
    crop, config = from_mapping(CropConfig, metadata["crop"], "crop."), LandmarkConfig()
    training, held_out = split_validation(pack.names, config.validation_share, config.validation_seed, pack.groups)
    held_out = np.array([i for i in held_out if official_box(pack, i) is not None and pack.exact[i].all()])
    batches = zip(*validation_batches(pack, some(held_out, faces), crop, _BATCH), strict=True)
    crops, truth = (np.concatenate(parts) for parts in batches)
    ranges = [batch for batch, _ in validation_batches(pack, some(training, INT8_CROPS), crop, _BATCH)]

    exact, visible, fp32_ms = answers(model, crops)
    error = np.linalg.norm(exact - truth, axis=2).mean()
    yield f"{len(crops)} faces; in 32 bits {fp32_ms:.1f} ms, mean error {error:.3f} px of {crop.size}"
    for parts in SETS:
        landmarks, visibility, ms = answers(quantized(model, np.concatenate(ranges), parts), crops)
        moved = np.linalg.norm(landmarks - exact, axis=2).mean()
        ratio = np.linalg.norm(landmarks - truth, axis=2).mean() / error
        yield (
            f"| {', '.join(parts)} | {ms / fp32_ms:.2f} | {moved:.2f} px | {ratio:.4f} | "
            f"{np.abs(visibility - visible).mean():.4f} |"
        )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pack", type=Path, required=True)
    parser.add_argument("--weights", type=Path, default=packaged_weights("occlumark")[0])
    parser.add_argument("--faces", type=int, default=200)
    args = parser.parse_args()
    for row in rows(onnx.load(args.weights), Pack.open(args.pack), args.faces):
        print(row, flush=True)


if __name__ == "__main__":
    main()
