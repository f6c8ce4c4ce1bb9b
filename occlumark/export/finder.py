"""The face finder as ONNX: photos of any size in, a score and a box for every place out."""

from dataclasses import asdict

import onnx
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from occlumark.export.onnx_graph import to_graph
from occlumark.finder import FORMAT, OUTPUTS, SIDE_MULTIPLE
from occlumark.model.face_finder import FinderNetwork
from occlumark.train.config import FinderConfig


class FinderForDetection(nn.Module):
    """The trained face finder itself with the outputs that detection reads.

    Args:
        network: its batch norms are folded into the convolutions in place.
    """

    def __init__(self, network: FinderNetwork) -> None:
        super().__init__()
        self.network = network.eval()
        for module in list(network.modules()):
            if not isinstance(module, nn.Sequential) or len(module) != 3:
                continue
            # ONNX Runtime folds them as well, but not where the grids share their weights.
            convolution, norm, _ = module
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                module[0], module[1] = fuse_conv_bn_eval(convolution, norm), nn.Identity()

    def forward(self, photos: UInt8[Tensor, "B H W 3"]) -> tuple[Float[Tensor, "B N"], Float[Tensor, "B N 4"]]:
        """Scores 0..1 and boxes in pixels."""
        logits, boxes = self.network(photos)
        return logits.sigmoid(), boxes


def finder_to_onnx(network: FinderNetwork, config: FinderConfig, *, fp16: bool) -> onnx.ModelProto:
    """The exported graph of a face finder.

    Args:
        network: in evaluation mode; its batch norms are folded in place.
        config: of its run, for the metadata.
        fp16: store the weights in half precision.
    """
    rows, columns = torch.export.Dim("rows", min=1), torch.export.Dim("columns", min=1)
    return to_graph(
        FinderForDetection(network),
        {"photos": torch.zeros(1, 3 * SIDE_MULTIPLE, 5 * SIDE_MULTIPLE, 3, dtype=torch.uint8)},
        {"photos": {1: SIDE_MULTIPLE * rows, 2: SIDE_MULTIPLE * columns}},
        OUTPUTS,
        {"format": FORMAT, "model": config.name, "kind": "finder", "network": asdict(config.network)},
        fp16=fp16,
    )
