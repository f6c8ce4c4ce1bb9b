"""A trained network with units, blocks and wider windows added that change nothing yet, for a run to start from.

    python studies/grown_start.py runs/fast-2/checkpoint.safetensors configs/occlumark-fast-3.toml \
        --out runs/grown.safetensors

What is new answers nothing at first: a residual unit's last batch norm and a transformer block's last layers are 0 (so
each is its shortcut alone), and so are the weights that read a window's new cells. The grown network predicts what the
small one does, to rounding, and has more to learn with (Chen et al., Net2Net, ICLR 2016). What the new configuration
has less of is left out, and then its answers are others.
"""

import argparse
import re
from pathlib import Path

import torch
from torch import Tensor

from occlumark.config import load
from occlumark.model.network import OcclusionAdaptiveNetwork
from occlumark.train.checkpoint import Checkpoint, averaged_weights, load_checkpoint, save_checkpoint
from occlumark.train.config import LandmarkConfig

#: What makes a new module its shortcut alone where it is 0.
_LAST = re.compile(r"(bn2|blocks\.\d+\.out|blocks\.\d+\.mlp\.2)\.(weight|bias)$")
_EMBED = "refinement.embed.weight"


def grown(network: OcclusionAdaptiveNetwork, weights: dict[str, Tensor], config: LandmarkConfig) -> dict[str, Tensor]:
    """The weights of a network that answers as a smaller one does.

    Args:
        network: the larger one.
        weights: the smaller one's, by its names.
        config: of the larger one's run.
    """
    found = {}
    for name, own in network.state_dict().items():
        if name not in weights:
            found[name] = torch.zeros_like(own) if _LAST.search(name) else own.clone()
        elif name == _EMBED and weights[name].shape != own.shape:
            rf = config.network.rf
            found[name] = _wider_windows(weights[name], own, (2 * rf.window_radius + 1) ** 2 * rf.width, rf.detail)
        else:
            found[name] = weights[name]
    return found


def _wider_windows(weight: Tensor, wider: Tensor, before: int, channels: int) -> Tensor:
    """An embedding's weights, 0 for the cells that a wider window at stride 4 reads besides."""
    sides = [round(((w.shape[1] - before - 2) / channels) ** 0.5) for w in (weight, wider)]
    rim = (sides[1] - sides[0]) // 2
    window = torch.zeros(len(wider), sides[1], sides[1], channels)
    inner = weight[:, before:-2].reshape(-1, sides[0], sides[0], channels)
    window[:, rim : rim + sides[0], rim : rim + sides[0]] = inner
    return torch.cat([weight[:, :before], window.flatten(1), weight[:, -2:]], 1)


def main() -> None:
    """Write the checkpoint, say how far the two networks' answers on noise lie apart."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("config", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    small = load_checkpoint(args.checkpoint)
    assert isinstance(small.config, LandmarkConfig)
    config = load(LandmarkConfig, args.config, ['start=""'])
    torch.manual_seed(0)
    networks = [OcclusionAdaptiveNetwork(c.network, c.crop.size).eval() for c in (small.config, config)]
    networks[0].load_state_dict(averaged_weights(small))
    weights = grown(networks[1], averaged_weights(small), config)
    networks[1].load_state_dict(weights)
    crops = torch.randint(0, 256, (8, config.crop.size, config.crop.size, 3), dtype=torch.uint8)
    with torch.no_grad():
        first, second = (network(crops).landmarks for network in networks)
    print(f"largest difference of a landmark on noise: {(first - second).abs().max():.2g} crop pixels")
    save_checkpoint(
        args.out,
        Checkpoint(
            kind="landmarks",
            config=config,
            epoch=0,
            data_digest="",
            network={},
            averaged={f"module.{name}": value for name, value in weights.items()},
            optimiser={},
        ),
    )


if __name__ == "__main__":
    main()
