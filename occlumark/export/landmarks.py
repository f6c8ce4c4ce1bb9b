"""A trained network as one ONNX file: what detection runs.

The file stores its weights in half the room (fp16, widened to fp32 when a session opens it), computes in fp32, and
carries in its metadata what the detector must know.
"""

from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import onnx
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from occlumark.errors import CheckpointError, ConfigError
from occlumark.export.finder import finder_to_onnx
from occlumark.export.int8 import quantized
from occlumark.export.onnx_graph import to_graph
from occlumark.files import written_whole
from occlumark.landmarker import EXPECTED_ERROR, FORMAT, OUTPUTS, PRESENCE
from occlumark.markup import MARKUPS, Markup
from occlumark.model.face_finder import FinderNetwork
from occlumark.model.layers import sample_map
from occlumark.model.network import OcclusionAdaptiveNetwork
from occlumark.model.refinement import Refinement
from occlumark.train.calibration import UNCALIBRATED, Calibration, calibrate
from occlumark.train.checkpoint import Checkpoint, averaged_weights, built, is_same_data, load_checkpoint
from occlumark.train.config import FinderConfig, LandmarkConfig
from occlumark.train.face_dataset import validation_batches
from occlumark.train.landmark_task import LandmarkTask

#: Training crops that the ranges of 8 bits are taken from.
INT8_CROPS = 256


class ForDetection(nn.Module):
    """The paper's network, folded, with the outputs that detection reads.

    Args:
        network: without a refinement; M is folded into its W_fc in place.
    """

    def __init__(self, network: OcclusionAdaptiveNetwork) -> None:
        super().__init__()
        self.network = network.eval()
        network.head.fold()

    def forward(
        self, crops: UInt8[Tensor, "B H W 3"]
    ) -> tuple[Float[Tensor, "B L 2"], Float[Tensor, "B L"], Float[Tensor, "B h w"]]:
        """Landmarks in crop pixels, visibility 0..1 at each, and the occlusion map 1 - P.

        A network without the distillation module knows no occlusion: all visible.
        """
        prediction = self.network(crops)
        P = prediction.P
        if P is None:
            grid = self.network.crop_size // self.network.backbone.stride
            P = torch.ones_like(prediction.landmarks[:, :1, :1, None]).expand(-1, 1, grid, grid)
        visibility = sample_map(P.squeeze(1), prediction.landmarks / self.network.crop_size)
        return prediction.landmarks, visibility, 1 - P.squeeze(1)


class RefinedForDetection(nn.Module):
    """A network with a refinement, folded, with the outputs that detection reads.

    Args:
        network: with a refinement; M is folded into its W_fc in place.
        calibration: of the expected error and of visibility.
    """

    def __init__(self, network: OcclusionAdaptiveNetwork, calibration: Calibration) -> None:
        super().__init__()
        self.network, self.calibration = network.eval(), calibration
        network.head.fold()

    def forward(self, crops: UInt8[Tensor, "B H W 3"]) -> tuple[Tensor, ...]:
        """As ForDetection's, from the refinement's predictions; the expected error in crop pixels, (B, L); and, of a
        network that tells it, how likely the crop shows a face, (B,)."""
        prediction = self.network(crops)
        refined = prediction.refined
        assert refined is not None  # the constructor's caller has one
        scale = refined.log_scale.exp() * Refinement.stride
        error = self.calibration.factor * scale**self.calibration.power
        logit = self.calibration.logit_scale * refined.occlusion_logit + self.calibration.logit_offset
        outputs = (prediction.landmarks, (-logit).sigmoid(), refined.occlusion_map_logit.sigmoid(), error)
        return outputs if prediction.presence is None else (*outputs, prediction.presence.sigmoid())


def _landmark_network(checkpoint: Checkpoint, config: LandmarkConfig, path: Path) -> OcclusionAdaptiveNetwork:
    def build() -> OcclusionAdaptiveNetwork:
        return OcclusionAdaptiveNetwork(config.network, config.crop.size, n_landmarks=config.n_landmarks)

    return built(build, averaged_weights(checkpoint), path).eval()


def _finder_network(checkpoint: Checkpoint, config: FinderConfig, path: Path) -> FinderNetwork:
    return built(lambda: FinderNetwork(config.network), averaged_weights(checkpoint), path).eval()


def export(
    checkpoint_path: Path, out: Path, *, fp16: bool = True, pack_path: Path | None = None, int8: bool = False
) -> None:
    """Write a checkpoint's averaged weights as an ONNX file.

    Args:
        checkpoint_path: what training wrote.
        out: the .onnx file, replaced only when the new one is whole.
        fp16: store the weights in half precision; False keeps all 32 bits.
        pack_path: the pack of the run, on whose validation part the expected error and visibility are calibrated; None:
            they are what training made them, for its own faces. Without meaning for a network that predicts no error.
        int8: most convolutions in 8 bits (int8.INT8_PARTS), their ranges those on training crops of the pack.

    Raises:
        ConfigError: int8 without a pack, or of another network than one of landmarks.
        CheckpointError: the checkpoint or the pack cannot be used, or the pack is another one than the run's.
        OcclumarkError: `out` cannot be written.
    """
    checkpoint = load_checkpoint(checkpoint_path)
    match checkpoint.config:
        case LandmarkConfig() as config:
            network = _landmark_network(checkpoint, config, checkpoint_path)
            calibration = UNCALIBRATED
            task = None if pack_path is None else _task(checkpoint, config, pack_path)
            if network.refinement is not None and task is not None:
                calibration = calibrate(network, task.pack, task.validation, task.labelled, config)
            model = to_onnx(network, config, fp16=fp16, calibration=calibration, markup=checkpoint.markup)
            if int8:
                if task is None:
                    raise ConfigError("8 bits need the ranges of real crops: name the run's pack")
                model = quantized(model, _calibration_crops(task))
        case FinderConfig() as config:
            if int8:
                raise ConfigError(f"{checkpoint_path} is a face finder, which has no form of 8 bits")
            model = finder_to_onnx(_finder_network(checkpoint, config, checkpoint_path), config, fp16=fp16)
        case _:
            raise CheckpointError(f"{checkpoint_path} is a checkpoint of '{checkpoint.kind}', which has no ONNX form")
    with written_whole(out) as file:
        file.write(model.SerializeToString())


def _task(checkpoint: Checkpoint, config: LandmarkConfig, pack_path: Path) -> LandmarkTask:
    # Crops that show no face, a scene's, and cut-outs are for training alone: their files may be elsewhere.
    augment = config.augment
    augment = replace(
        augment,
        no_face=replace(augment.no_face, share=0.0),
        scene_faces=replace(augment.scene_faces, share=0.0),
        occlude=replace(augment.occlude, probability=0.0),
    )
    task = LandmarkTask(replace(config, augment=augment), pack_path)
    if not is_same_data(checkpoint.data_digest, task.data_digest):
        raise CheckpointError(f"{pack_path} holds other faces than those of the run; calibrate on the run's own pack")
    if len(task.validation) == 0:
        raise CheckpointError(f"{pack_path} has no validation part (validation_share) to calibrate on")
    return task


def _calibration_crops(task: LandmarkTask) -> Iterator[np.ndarray]:
    """Crops of training faces from all over the pack."""
    chosen = np.unique(np.linspace(0, len(task.training) - 1, INT8_CROPS).astype(int))
    for crops, _ in validation_batches(task.pack, task.training[chosen], task.config.crop, 8):
        yield from crops


def to_onnx(
    network: OcclusionAdaptiveNetwork,
    config: LandmarkConfig,
    *,
    fp16: bool,
    calibration: Calibration = UNCALIBRATED,
    markup: Markup | None = None,
) -> onnx.ModelProto:
    """The exported graph of a network, checked by ONNX's own checker.

    Args:
        network: in evaluation mode; M is folded into its W_fc in place.
        config: of its run, for the metadata.
        fp16: store the weights in half precision.
        calibration: for a network with a refinement.
        markup: of its landmarks; None: the package's of so many.
    """
    own = {} if markup is None or markup == MARKUPS.get(markup.n) else {"markup": markup.to_json()}
    size = network.crop_size
    refined = network.refinement is not None
    return to_graph(
        RefinedForDetection(network, calibration) if refined else ForDetection(network),
        {"crops": torch.zeros(2, size, size, 3, dtype=torch.uint8)},
        {"crops": {0: torch.export.Dim("batch")}},
        (*OUTPUTS, *([EXPECTED_ERROR] if refined else []), *([PRESENCE] if refined and network.presence else [])),
        {
            "format": FORMAT,
            "model": config.name,
            "n_landmarks": network.n_landmarks,
            "crop": asdict(config.crop),
            "network": asdict(config.network),
            **own,
            **({"calibration": calibration._asdict()} if refined else {}),
        },
        fp16=fp16,
    )
