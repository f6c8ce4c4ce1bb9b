"""AdamW's state as a checkpoint holds it: by parameter name."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from occlumark.errors import CheckpointError


def flat_optimiser(optimiser: torch.optim.Optimizer, network: nn.Module) -> dict[str, Tensor]:
    """AdamW's state by parameter name: `name/exp_avg` and so on."""
    state = optimiser.state
    return {
        f"{name}/{key}": torch.as_tensor(value)
        for name, parameter in network.named_parameters()
        for key, value in state.get(parameter, {}).items()
    }


def restore_optimiser(
    optimiser: torch.optim.Optimizer, network: nn.Module, flat: Mapping[str, Tensor], path: Path
) -> None:
    """Put back what flat_optimiser took out.

    Raises:
        CheckpointError: there is nothing, or a state that is incomplete or of another network.
    """
    parameters = dict(network.named_parameters())
    names = {key.rpartition("/")[0] for key in flat}
    expected = {
        f"{name}/{entry}": (torch.Size() if entry == "step" else parameters[name].shape)
        for name in names & parameters.keys()
        for entry in ("step", "exp_avg", "exp_avg_sq")
    }
    if not flat or {key: value.shape for key, value in flat.items()} != expected:
        raise CheckpointError(
            f"{path} has a damaged optimiser state; start from its weights instead (config key start)"
        )
    for key, value in flat.items():
        name, _, entry = key.rpartition("/")
        place = value if entry == "step" else value.to(parameters[name].device)
        optimiser.state[parameters[name]][entry] = place
