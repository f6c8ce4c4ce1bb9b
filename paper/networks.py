"""What the networks of Table 4 cost, parameters and milliseconds: `python -m paper.networks`, or `make paper-networks`.

As configs/ablation/ROW.toml has them, untrained, which changes neither. They take turns, one face, one thread, and
medians count.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from occlumark.config import load
from occlumark.errors import OcclumarkError
from occlumark.export.landmarks import to_onnx
from occlumark.files import write_csv
from occlumark.model.network import OcclusionAdaptiveNetwork
from occlumark.train.config import LandmarkConfig
from paper.table4 import LARGE, NETWORKS_FILE, ROWS, TRIALS


def parameters(config: LandmarkConfig) -> int:
    """How many numbers training moves; M and W_fc count both, though they are one at detection."""
    return sum(each.numel() for each in _untrained(config).parameters())


def _untrained(config: LandmarkConfig) -> OcclusionAdaptiveNetwork:
    torch.manual_seed(0)
    return OcclusionAdaptiveNetwork(config.network, config.crop.size).eval()


def milliseconds(configs: dict[str, LandmarkConfig], repetitions: int) -> dict[str, float]:
    """The median time of one face by each network's exported form: ONNX Runtime, one thread, taking turns."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    crops, sessions = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        for row, config in configs.items():
            path = Path(folder) / f"{row}.onnx"
            path.write_bytes(to_onnx(_untrained(config), config, fp16=False).SerializeToString())
            sessions[row] = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
            shape = (1, config.crop.size, config.crop.size, 3)
            crops[row] = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    times: dict[str, list[float]] = {row: [] for row in configs}
    for turn in range(repetitions + 1):
        for row, session in sessions.items():
            began = time.perf_counter()
            session.run(None, {"crops": crops[row]})
            if turn:  # the first one warms up
                times[row].append(1000 * (time.perf_counter() - began))
    return {row: statistics.median(values) for row, values in times.items()}


def main(argv: list[str] | None = None) -> int:
    """Count, time, write."""
    parser = argparse.ArgumentParser(prog="python -m paper.networks", description=__doc__.partition("\n")[0])
    parser.add_argument("--configs", metavar="DIR", type=Path, default=Path("configs/ablation"), help="a ROW.toml each")
    parser.add_argument("--out", metavar="DIR", type=Path, default=Path("docs/results"))
    parser.add_argument("--repetitions", metavar="N", type=int, default=30)
    args = parser.parse_args(argv)
    try:
        configs = {row: load(LandmarkConfig, args.configs / f"{row}.toml") for row in (*ROWS, *TRIALS, *LARGE)}
        times = milliseconds(configs, args.repetitions)
        rows = [[row, parameters(config), f"{times[row]:.1f}"] for row, config in configs.items()]
        path = args.out / "errors" / NETWORKS_FILE
        path.parent.mkdir(parents=True, exist_ok=True)
        write_csv(path, ["row", "parameters", "milliseconds"], rows)
        print(path)
    except OcclumarkError as error:
        print(f"paper: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
