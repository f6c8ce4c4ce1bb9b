"""A run that trained one part alone, as the exported file that it started from with that part's weights exchanged.

Not in the paper. All else, other outputs included, stays bit for bit as it was.
"""

import os
from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from onnx import numpy_helper

from occlumark.errors import CheckpointError
from occlumark.files import written_whole
from occlumark.network_file import read_checked
from occlumark.packaged import packaged_names, packaged_weights
from occlumark.train.checkpoint import averaged_weights, load_checkpoint
from occlumark.train.config import LandmarkConfig

_PREFIX, _HALF = "network.", ".fp16"


def export_part(checkpoint_path: Path, into: str | os.PathLike[str], out: Path) -> None:
    """Write an exported network with the part that a run trained alone (train_only) put into it.

    Args:
        checkpoint_path: what training wrote.
        into: the exported file that the run started from, or the name of a packaged network.
        out: the .onnx file, replaced only when the new one is whole.

    Raises:
        CheckpointError: the checkpoint or the exported file cannot be used, the run trained all of its network, or the
            file has no such part.
        OcclumarkError: `out` cannot be written.
    """
    checkpoint = load_checkpoint(checkpoint_path)
    part = checkpoint.config.train_only if isinstance(checkpoint.config, LandmarkConfig) else ""
    if not part:
        raise CheckpointError(f"{checkpoint_path} trained all of its network (train_only is empty); export it whole")
    path = packaged_weights(str(into))[0] if str(into) in packaged_names() else Path(into)
    try:
        model = onnx.load_from_string(read_checked(path))
    except DecodeError as error:
        raise CheckpointError(f"{path} is truncated or no ONNX file") from error
    held = {tensor.name.removesuffix(_HALF): tensor for tensor in model.graph.initializer}
    for name, weight in averaged_weights(checkpoint).items():
        if not name.startswith(f"{part}."):
            continue
        tensor = held.get(_PREFIX + name)
        if tensor is None or list(tensor.dims) != list(weight.shape):
            raise CheckpointError(f"{path} has no {name} of shape {tuple(weight.shape)}: the run is of another network")
        values = weight.numpy().astype(np.float16 if tensor.name.endswith(_HALF) else np.float32)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    onnx.checker.check_model(model)
    with written_whole(out) as file:
        file.write(model.SerializeToString())
