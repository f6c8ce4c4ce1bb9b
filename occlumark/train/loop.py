"""The training loop."""

import contextlib
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from occlumark.data.cutouts import load_cutouts
from occlumark.data.pack import Pack
from occlumark.data.split import split_validation
from occlumark.errors import CheckpointError, ConfigError
from occlumark.metrics import nme
from occlumark.model.nuclear_norm import Spectrum, spectrum
from occlumark.model.objective import objective
from occlumark.train.checkpoint import save_checkpoint
from occlumark.train.config import OptimiserConfig, RunConfig
from occlumark.train.faces import TrainingFaces, faces_digest, mean_face, training_batches, validation_batches
from occlumark.train.processes import Processes
from occlumark.train.record import Record
from occlumark.train.state import RunState


def train(config: RunConfig, pack_path: Path, out: Path, *, resume: bool = False, device: str = "") -> Path:
    """Train a network on a pack of faces.

    Writes into `out`: checkpoint.safetensors after every epoch, log.jsonl with a line an epoch, and TensorBoard's
    scalars. An interrupted run continued by `resume` ends at the same weights as one that ran through.

    Args:
        config: the run.
        pack_path: what `occlumark pack` wrote.
        out: folder of the run, made if missing.
        resume: go on from out/checkpoint.safetensors; without it, a folder that has one is refused.
        device: "cpu", "cuda", ...; empty: CUDA where there is one.

    Returns:
        The path of the last checkpoint.

    Raises:
        CheckpointError: the pack, the ImageNet weights or the checkpoint to resume cannot be used.
        ConfigError: the configuration does not fit the pack or the run that is resumed.
    """
    with Processes.join(device) as processes:
        pack = Pack.open(pack_path)
        training, validation = split_validation(pack.names, config.validation_share, config.validation_seed)
        if config.optimiser.batch % processes.world:
            raise ConfigError(
                f"optimiser.batch is {config.optimiser.batch}, no multiple of {processes.world} processes"
            )
        if len(training) < config.optimiser.batch:
            raise ConfigError(
                f"the pack leaves {len(training)} faces for training, fewer than a batch of {config.optimiser.batch}"
            )
        if "mask" in config.augment.occlude.kinds and config.augment.occlude.probability:
            load_cutouts(config.augment.occlude.masks)  # a wrong folder is told here, not by a loading process
        checkpoint_path = out / "checkpoint.safetensors"
        state = RunState.start(config, mean_face(pack, training, config.crop), faces_digest(pack), processes.device)
        if resume:
            state.resume(checkpoint_path)
        elif checkpoint_path.exists():
            raise CheckpointError(f"{checkpoint_path} exists: --resume continues it, another --out starts afresh")
        model: nn.Module = state.network
        if processes.world > 1:
            model = DistributedDataParallel(state.network)
        with Record.open(out, resume_after=state.epoch, write=processes.is_first) as record:
            while state.epoch < config.optimiser.epochs:
                scalars = _train_epoch(state, model, config, pack, training, processes)
                state.epoch += 1
                if processes.is_first:
                    averaged = state.averaged.module
                    scalars |= validate(averaged, pack, validation, config, processes.device)
                    save_checkpoint(checkpoint_path, state.checkpoint())
                    record.write(state.epoch, scalars)
                processes.wait()
    return checkpoint_path


def _train_epoch(
    state: RunState,
    model: nn.Module,
    config: RunConfig,
    pack: Pack,
    training: np.ndarray,
    processes: Processes,
) -> dict[str, float]:
    """One pass over the training part; returns the epoch's means and M's spectrum."""
    faces = TrainingFaces(pack, training, config.crop, config.augment, config.seed, state.epoch)
    batches = training_batches(faces, config.optimiser.batch, processes.rank, processes.world, config.workers)
    sums: dict[str, float] = {}
    matrix: Spectrum | None = None
    began, done = time.perf_counter(), 0
    state.network.train()
    bar = tqdm(
        batches, desc=f"epoch {state.epoch + 1}/{config.optimiser.epochs}", disable=None if processes.is_first else True
    )
    for step, (crops, landmarks) in enumerate(bar):
        # The first step of an epoch always decomposes, so that a resumed run meets the same sub-gradients.
        if state.network.M is not None and step % config.objective.refresh_every == 0:
            matrix = spectrum(state.network.M)
        _set_rate(state.optimiser, config.optimiser, state.epoch + step / len(batches))
        crops, landmarks = crops.to(processes.device), landmarks.to(processes.device)
        with autocast(config.optimiser, processes.device):
            prediction = model(crops)
        terms = objective(
            config.objective, state.network, prediction, landmarks, None if matrix is None else matrix.polar
        )
        loss = torch.stack(list(terms.values())).sum()
        state.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        state.optimiser.step()
        state.averaged.update_parameters(state.network)
        done += len(crops) * processes.world
        for name, term in terms.items():
            sums[f"objective/{name}"] = sums.get(f"objective/{name}", 0.0) + float(term.detach())
        if not math.isfinite(sums["objective/data"]):
            raise ConfigError(
                f"training diverged in epoch {state.epoch + 1}, step {step + 1}: lower optimiser.learning_rate"
            )
        bar.set_postfix(data=f"{sums['objective/data'] / (step + 1):.3f}", refresh=False)
    scalars = {name: total / len(batches) for name, total in sums.items()}
    scalars["images_per_s"] = done / (time.perf_counter() - began)
    scalars["learning_rate"] = state.optimiser.param_groups[0]["lr"]
    if matrix is not None:
        scalars |= {"M/nuclear_norm": matrix.nuclear_norm, "M/effective_rank": matrix.effective_rank}
    return scalars


@torch.no_grad()
def validate(
    network: nn.Module, pack: Pack, indices: np.ndarray, config: RunConfig, device: torch.device
) -> dict[str, float]:
    """The error on faces that training does not see, cut from their official boxes.

    Args:
        network: in evaluation mode afterwards.
        pack: the faces.
        indices: (n,) which of them.
        config: of the run: crop, batch and precision.
        device: where the network lives.

    Returns:
        "validation/nme", inter-ocular, a fraction; empty where there is no face.
    """
    if len(indices) == 0:
        return {}
    network.eval()
    errors = []
    for crops, truth in validation_batches(pack, indices, config.crop, config.optimiser.batch):
        with autocast(config.optimiser, device):
            predicted = network(crops.to(device)).landmarks.cpu().numpy()
        errors.append(nme(predicted, truth, "inter_ocular"))
    return {"validation/nme": float(np.concatenate(errors).mean())}


def autocast(config: OptimiserConfig, device: torch.device) -> contextlib.AbstractContextManager[None]:
    """bf16 where the configuration wants it."""
    if config.precision == "fp32":
        return contextlib.nullcontext()
    return torch.autocast(device.type, torch.bfloat16)


def _set_rate(optimiser: torch.optim.Optimizer, config: OptimiserConfig, epoch: float) -> None:
    """Linear warm-up, then a cosine to 0; epoch counts in fractions."""
    share = epoch / config.epochs
    if share < config.warm_up:
        factor = share / config.warm_up
    else:
        factor = 0.5 * (1 + math.cos(math.pi * (share - config.warm_up) / max(1 - config.warm_up, 1e-9)))
    for group in optimiser.param_groups:
        group["lr"] = config.learning_rate * factor * group["scale"]
