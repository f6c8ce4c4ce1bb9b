"""Checkpoints: safetensors with a JSON header, written atomically, read without running code."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from occlumark.config import from_mapping, parse_json, shown
from occlumark.errors import CheckpointError, ConfigError
from occlumark.files import written_whole
from occlumark.markup import MARKUPS, Markup, markup_of
from occlumark.train.config import KINDS, LandmarkConfig, RunConfig

FORMAT = 1
# The log travels in the header: 100,000 epochs of it.
_MOST_HEADER_BYTES = 50_000_000
Module = TypeVar("Module", bound=nn.Module)
# What safetensors raises besides its own error where a header's shape or type is one that torch has not.
_UNREADABLE = (AttributeError, KeyError, OverflowError, RuntimeError, TypeError, ValueError)


@dataclass(frozen=True)
class Checkpoint:
    """A training run after a whole epoch."""

    kind: str
    """What was trained: a key of config.KINDS."""
    config: RunConfig
    """Of the run, of the class that its kind has."""
    epoch: int
    """Epochs finished."""
    data_digest: str
    """Names the data that it was trained on (Task.data_digest)."""
    network: dict[str, Tensor]
    """Weights as trained."""
    averaged: dict[str, Tensor]
    """Their moving average: what is validated and exported."""
    optimiser: dict[str, Tensor]
    """AdamW's state as `parameter/field`."""
    log: tuple[str, ...] = ()
    """The lines of log.jsonl, up to this epoch; none in checkpoints of older versions."""
    markup: Markup | None = None
    """Of a landmark network, which landmark is which; None: of another kind."""


def is_same_data(digest: str, other: str) -> bool:
    """Whether two Checkpoint.data_digest name the same; an older one, without a colon, has the first part alone."""
    return digest == other or other.partition(":")[0] == digest or digest.partition(":")[0] == other


_PARTS = ("network", "averaged", "optimiser")

#: Weights of the landmark network that older checkpoints have under other names, as patterns of what stands at the
#: start of a name (behind the averaged weights' "module.").
_RENAMED_WEIGHTS = {
    r"distillation\.": "last_unit.",
    r"last_unit\.(?!pathway_)": "last_unit.pathway_c.",
    r"low_rank\.": "head.",
    r"regression\.": "head.regression.",
    r"refinement\.looks\.": "refinement.stages.",
    r"(refinement\.stages\.\d+)\.names": r"\2.landmark_embedding",
    r"(refinement\.stages\.\d+)\.rounds\.": r"\2.blocks.",
    r"(refinement\.stages\.\d+)\.answer\.": r"\2.head.",
}


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write a checkpoint, whole or not at all.

    Args:
        path: the file; an older checkpoint there stays until the new one is whole.
        checkpoint: what to write; its tensors share no memory.

    Raises:
        OcclumarkError: the disk is full or the folder is not writable.
    """
    tensors = {
        f"{part}:{name}": tensor.contiguous() for part in _PARTS for name, tensor in getattr(checkpoint, part).items()
    }
    header = {
        "format": FORMAT,
        "kind": checkpoint.kind,
        "epoch": checkpoint.epoch,
        "data": checkpoint.data_digest,
        "config": asdict(checkpoint.config),
        "log": list(checkpoint.log),
        "tensors": {part: len(getattr(checkpoint, part)) for part in _PARTS},
    }
    if isinstance(checkpoint.config, LandmarkConfig):
        header["n_landmarks"] = checkpoint.config.n_landmarks
        if checkpoint.markup is not None and checkpoint.markup != MARKUPS.get(checkpoint.markup.n):
            header["markup"] = checkpoint.markup.to_json()
    with written_whole(path) as file:
        file.write(save(tensors, metadata={"occlumark": json.dumps(header)}))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint that save_checkpoint wrote.

    Args:
        path: the file.

    Returns:
        The checkpoint, its tensors on the CPU.

    Raises:
        CheckpointError: missing, truncated, not ours, of another format version or kind, with an epoch out of its run
            or numbers that are not finite.
    """
    if not _is_file(path):
        raise CheckpointError(f"no such checkpoint: {path}")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if "occlumark" not in metadata:
                raise CheckpointError(f"{path} is a safetensors file, but no checkpoint of occlumark train")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    except (OSError, SafetensorError, *_UNREADABLE) as error:
        raise CheckpointError(f"{path} is truncated or no checkpoint: {error}") from error
    header = _header(path, metadata["occlumark"])
    parts: dict[str, dict[str, Tensor]] = {part: {} for part in _PARTS}
    for name, tensor in tensors.items():
        part, _, inner = name.partition(":")
        if part not in parts:
            raise CheckpointError(f"{path} holds an unknown tensor {name}")
        parts[part][todays_name(inner) if header["kind"] == "landmarks" else inner] = tensor
    _check_tensors(path, parts, header.get("tensors"))
    try:
        config = from_mapping(KINDS[header["kind"]], header["config"])
    except ConfigError as error:
        raise CheckpointError(f"{path} has a configuration of another version: {error}") from error
    epoch, epochs = header["epoch"], config.optimiser.epochs
    if type(epoch) is not int or not 0 <= epoch <= epochs:
        raise CheckpointError(f"{path} has a damaged header: its epoch is in 0..{epochs}, not {shown(epoch)}")
    log = header.get("log", [])  # none in older checkpoints
    if not isinstance(log, list) or not all(isinstance(line, str) and "\n" not in line for line in log):
        raise CheckpointError(f"{path} has a damaged header: its log is no list of lines")
    return Checkpoint(
        kind=header["kind"],
        config=config,
        epoch=epoch,
        data_digest=str(header["data"]),
        log=tuple(log),
        markup=_markup(path, header, config) if isinstance(config, LandmarkConfig) else None,
        **parts,
    )


def _markup(path: Path, header: Mapping[str, Any], config: LandmarkConfig) -> Markup:
    """Of a landmark network; checkpoints of the package's markups, as all older ones are, tell the number alone."""
    n_landmarks = header.get("n_landmarks", header.get("markup"))  # the latter in older checkpoints
    own = header.get("markup") if isinstance(header.get("markup"), dict) else None
    try:
        markup = MARKUPS.get(config.n_landmarks) if own is None else markup_of(own)
    except ConfigError as error:
        raise CheckpointError(f"{path} has a damaged header: {error}") from error
    if n_landmarks != config.n_landmarks or markup is None or markup.n != n_landmarks:
        raise CheckpointError(
            f"{path} has a damaged header: {shown(n_landmarks)} landmarks, its configuration says {config.n_landmarks}"
        )
    return markup


def _check_tensors(path: Path, parts: Mapping[str, Mapping[str, Tensor]], counts: object) -> None:
    """All tensors that were written, their numbers finite. Older checkpoints tell no counts."""
    found = {part: len(tensors) for part, tensors in parts.items()}
    if counts is not None and counts != found:
        raise CheckpointError(f"{path} is damaged: it was written with {shown(counts)} tensors and holds {found}")
    for part, tensors in parts.items():
        for name, tensor in tensors.items():
            if not tensor.isfinite().all():
                raise CheckpointError(f"{path} holds numbers that are not finite, in {part}:{name}; its run diverged")


def averaged_weights(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """The averaged weights by the network's own names."""
    prefix = "module."
    return {name.removeprefix(prefix): value for name, value in checkpoint.averaged.items() if name.startswith(prefix)}


def built(build: Callable[[], Module], weights: Mapping[str, Tensor], path: Path) -> Module:
    """A module with weights from a file, which is built only when they fit: a header alone takes no memory.

    Args:
        build: makes the module.
        weights: by the module's own names.
        path: the file they came from, for the message.

    Raises:
        CheckpointError: see load_weights.
    """
    with torch.device("meta"):
        _check_fit(build(), weights, path)
    module = build()
    load_weights(module, weights, path)
    return module


def load_weights(module: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    """Load a state dict; missing, extra and misshapen keys are named.

    Args:
        module: what gets the weights.
        weights: by the module's own names.
        path: the file they came from, for the message.

    Raises:
        CheckpointError: the weights are of another network.
    """
    _check_fit(module, weights, path)
    module.load_state_dict(weights)


def _check_fit(module: nn.Module, weights: Mapping[str, Tensor], path: Path) -> None:
    own = module.state_dict()
    wrong = [f"missing {name}" for name in own if name not in weights]
    wrong += [f"extra {name}" for name in weights if name not in own]
    wrong += [
        f"{name} is {tuple(weights[name].shape)}, expected {tuple(own[name].shape)}"
        for name in own
        if name in weights and weights[name].shape != own[name].shape
    ]
    wrong += [
        f"{name} is {weights[name].dtype}, expected {own[name].dtype}"
        for name in own
        if name in weights and weights[name].is_floating_point() != own[name].is_floating_point()
    ]
    if wrong:
        more = f" and {len(wrong) - 4} more" if len(wrong) > 4 else ""
        raise CheckpointError(f"{path} does not fit this network: {'; '.join(wrong[:4])}{more}")


def read_imagenet(path: Path) -> dict[str, Tensor]:
    """ResNet-18's ImageNet weights by torchvision's names, as fp32.

    Raises:
        CheckpointError: missing, truncated, not a safetensors file or with numbers that are not finite.
    """
    if not _is_file(path):
        raise CheckpointError(f"no such ImageNet weights: {path} (config key imagenet; empty starts from random)")
    try:
        with safe_open(path, framework="pt") as file:
            weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError, *_UNREADABLE) as error:
        raise CheckpointError(f"{path} is truncated or no safetensors file: {error}") from error
    _check_tensors(path, {"imagenet": weights}, None)
    return weights


def todays_name(name: str) -> str:
    """A weight's name in this version."""
    for old, new in _RENAMED_WEIGHTS.items():
        name = re.sub(rf"^((?:module\.)?){old}", rf"\g<1>{new}", name)
    return name


def _header(path: Path, text: str) -> dict[str, Any]:
    """The header, with the entries that checkpoints older than a second kind of network lack."""
    try:
        header = parse_json(text, "metadata", _MOST_HEADER_BYTES)
    except ConfigError as error:
        raise CheckpointError(f"{path} has a damaged header: {error}") from error
    if not {"format", "epoch", "config"} <= header.keys():
        raise CheckpointError(f"{path} has a damaged header: it lacks what occlumark train writes")
    if header["format"] != FORMAT:
        raise CheckpointError(f"{path} has checkpoint format {shown(header['format'])}, this version reads {FORMAT}")
    header = {"kind": "landmarks", "data": header.get("faces", "")} | header
    if header["kind"] not in list(KINDS):
        raise CheckpointError(
            f"{path} is a checkpoint of {shown(header['kind'])}, this version knows {', '.join(KINDS)}"
        )
    return header


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except ValueError:  # a null byte in the name
        return False
