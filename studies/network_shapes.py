"""How long networks of other shapes take in 8 bits: random weights, one thread, one crop, over plain ResNet-18 in fp32.

    python studies/network_shapes.py [--repetitions 40]

What is compared takes turns. A shape is written as `--set` has it for occlumark train.
"""

import argparse
import logging
import statistics
import time

import numpy as np
import onnx
import onnxruntime
import torch

from occlumark.config import load
from occlumark.export.int8 import INT8_PARTS, quantized
from occlumark.export.landmarks import to_onnx
from occlumark.model.network import OcclusionAdaptiveNetwork
from occlumark.train.config import LandmarkConfig

_PLAIN = ["network.geometry_aware=false", "network.distillation=false", "network.low_rank=false"]
_FAST = [*_PLAIN, "network.flattened_head=true", "network.lm.stride=1", "network.backbone.imagenet_colours=false"]
_REFINED = ["network.presence=true", "network.refinement=true", "network.rf.width=64", "network.rf.token=64"]
_REFINED += ["network.rf.layers=1", "network.rf.detail=32", "network.rf.detail_radius=1"]
_WHOLE = [*_REFINED, "network.rf.whole_cells=true", "network.rf.window_radius=0"]
_HALF = ["network.backbone.stem=32", "network.backbone.channels=[32, 64, 128, 256]", "network.backbone.stem_kernel=3"]
_SHORT = [*_HALF, "network.backbone.units=[1, 2, 2, 1]"]
_SLIM = ["network.backbone.stem=24", "network.backbone.channels=[24, 48, 96, 192]", "network.backbone.stem_kernel=3"]

#: By name, what differs from the default configuration.
SHAPES: dict[str, list[str]] = {
    "half width, 128 px, no refinement": [*_FAST, *_HALF, "crop.size=128"],
    "half width, 128 px, refined by interpolation at strides 8 and 4": [*_FAST, *_HALF, *_REFINED, "crop.size=128"],
    "half width, 128 px, refined by whole cells": [*_FAST, *_HALF, *_WHOLE, "crop.size=128"],
    "half width, one unit at stride 4, 128 px, whole cells": [*_FAST, *_SHORT, *_WHOLE, "crop.size=128"],
    "half width, 160 px, whole cells": [*_FAST, *_HALF, *_WHOLE, "crop.size=160"],
    "three eighths of the width, 128 px, whole cells": [*_FAST, *_SLIM, *_WHOLE, "crop.size=128"],
}


def exported(overrides: list[str]) -> onnx.ModelProto:
    """A network with random weights."""
    config = load(LandmarkConfig, None, overrides)
    torch.manual_seed(0)
    network = OcclusionAdaptiveNetwork(config.network, config.crop.size).eval()
    return to_onnx(network, config, fp16=False)


def session(model: onnx.ModelProto) -> tuple[onnxruntime.InferenceSession, np.ndarray]:
    """A network ready to run on one thread, and a crop for it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    network = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return network, crops_for(network.get_inputs()[0].shape[1])[:1]


def crops_for(size: int) -> np.ndarray:
    """(4, size, size, 3) uint8, noise."""
    return np.random.default_rng(0).integers(0, 256, (4, size, size, 3), np.uint8)


def main() -> None:
    """Print a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=40)
    args = parser.parse_args()
    logging.disable(logging.WARNING)
    runs = {"plain ResNet-18, 224 px, fp32": session(exported(_PLAIN))}
    for name, overrides in SHAPES.items():
        model = exported(overrides)
        runs[f"{name}, fp32"] = session(model)
        runs[name] = session(quantized(model, crops_for(load(LandmarkConfig, None, overrides).crop.size), INT8_PARTS))
    times: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(args.repetitions + 1):
        for name, (network, crop) in runs.items():
            began = time.process_time()
            for _ in range(3):
                network.run(None, {"crops": crop})
            if turn:
                times[name].append((time.process_time() - began) / 3)
    plain = statistics.median(times["plain ResNet-18, 224 px, fp32"])
    for name, values in times.items():
        print(f"| {name} | {1000 * statistics.median(values):.2f} ms | {statistics.median(values) / plain:.3f} |")


if __name__ == "__main__":
    main()
