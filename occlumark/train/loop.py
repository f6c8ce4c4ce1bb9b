"""The training loop, the same for every kind of network."""

import contextlib
import math
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from occlumark.errors import CheckpointError, ConfigError
from occlumark.files import owned_folder
from occlumark.train.checkpoint import save_checkpoint
from occlumark.train.config import OptimiserConfig
from occlumark.train.distributed import DistributedContext
from occlumark.train.precision import uses_bf16
from occlumark.train.run_log import RunLog, epoch_line
from occlumark.train.state import RunState
from occlumark.train.task import Network, Task


def train(task: Task[Network], out: Path, *, resume: bool = False, device: str = "") -> Path:
    """Train a network.

    Writes into `out`: checkpoint.safetensors after every epoch, log.jsonl with a line an epoch, and TensorBoard's
    scalars. An interrupted run continued by `resume` ends at the same weights as one that ran through.

    Args:
        task: what to train, on what.
        out: folder of the run, made if missing.
        resume: go on from out/checkpoint.safetensors; without it, a folder that has one is refused. A finished run goes
            on where optimiser.epochs was raised (state.RunState.resume says at what learning rate).
        device: "cpu", "cuda", ...; empty: CUDA where there is one.

    Returns:
        The path of the last checkpoint.

    Raises:
        OcclumarkError: another run is writing into `out`, or it cannot be written.
        CheckpointError: the weights to start from or the checkpoint to resume cannot be used.
        ConfigError: the configuration does not fit the data or the run that is resumed.
    """
    with DistributedContext.join(device) as context:
        _check_batch(task, context)
        with owned_folder(out) if context.is_main else contextlib.nullcontext():
            return _run(task, out, resume, context)


def _run(task: Task[Network], out: Path, resume: bool, context: DistributedContext) -> Path:
    checkpoint_path = out / "checkpoint.safetensors"
    state = RunState.start(task, context.device, is_resumed=resume)
    if resume:
        state.resume(checkpoint_path)
        if context.is_main and sys.stderr is not None:
            print(f"going on after epoch {state.epoch} of {task.config.optimiser.epochs}", file=sys.stderr)
    elif checkpoint_path.exists():
        raise CheckpointError(f"{checkpoint_path} exists: --resume continues it, another --out starts afresh")
    model: nn.Module = state.network
    if context.world_size > 1:
        model = DistributedDataParallel(state.network)
    with RunLog.open(out, state.epoch, context.is_main, state.log) as log:
        while state.epoch < task.config.optimiser.epochs:
            began = time.perf_counter()
            scalars = _train_epoch(task, state, model, context)
            state.epoch += 1
            if context.is_main:
                if _is_validated(state.epoch, task.config.optimiser):
                    scalars |= _validate(task, state, context.device)
                log.add(state.epoch, scalars)
                save_checkpoint(checkpoint_path, state.checkpoint(log.lines))
                log.write()
                _tell(epoch_line(state.epoch, task.config.optimiser.epochs, scalars, time.perf_counter() - began))
            context.barrier()
    return checkpoint_path


def _tell(line: str) -> None:
    """To standard error where that is no terminal; on one there is a bar."""
    if sys.stderr is not None and not sys.stderr.isatty():
        print(line, file=sys.stderr, flush=True)


def _check_batch(task: Task[Network], context: DistributedContext) -> None:
    batch = task.config.optimiser.batch
    if batch % context.world_size:
        raise ConfigError(f"optimiser.batch is {batch}, no multiple of {context.world_size} processes")
    if task.training_size < batch:
        raise ConfigError(f"{task.training_size} samples are left for training, fewer than a batch of {batch}")


def _train_epoch(
    task: Task[Network], state: RunState[Network], model: nn.Module, context: DistributedContext
) -> dict[str, float]:
    """One pass over the training part; returns the means of the objective's terms and what the task tells."""
    config = task.config.optimiser
    batches = task.batches(state.epoch, context)
    sums: dict[str, float] = {}
    began, done = time.perf_counter(), 0
    state.network.train()
    bar = tqdm(batches, desc=f"epoch {state.epoch + 1}/{config.epochs}", disable=None if context.is_main else True)
    for step, batch in enumerate(bar):
        _set_rate(state.optimiser, config, state.epoch + step / len(batches))
        terms = task.terms(state.network, model, batch, step, context.device)
        loss = torch.stack(list(terms.values())).sum()
        state.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        state.optimiser.step()
        state.averaged.update_parameters(state.network)
        done += len(batch[0]) * context.world_size
        for name, term in terms.items():
            sums[f"objective/{name}"] = sums.get(f"objective/{name}", 0.0) + float(term.detach())
        total = sum(sums.values())
        if not math.isfinite(total):
            raise ConfigError(
                f"training diverged in epoch {state.epoch + 1}, step {step + 1}: lower optimiser.learning_rate"
            )
        bar.set_postfix(objective=f"{total / (step + 1):.3f}", refresh=False)
    scalars = {name: total / len(batches) for name, total in context.means(sums).items()}
    scalars["images_per_s"] = done / (time.perf_counter() - began)
    scalars["learning_rate"] = state.optimiser.param_groups[0]["lr"]
    scalars["bf16"] = float(uses_bf16(config, context.device))
    return scalars | task.epoch_scalars()


def _is_validated(epoch: int, config: OptimiserConfig) -> bool:
    """Whether an epoch, counted from 1, is followed by validation."""
    return epoch % config.validate_every == 0 or epoch == config.epochs


@torch.no_grad()
def _validate(task: Task[Network], state: RunState[Network], device: torch.device) -> dict[str, float]:
    """What the task makes of the averaged weights."""
    network = state.averaged_network
    network.eval()
    return task.validate(network, device)


def _set_rate(optimiser: torch.optim.Optimizer, config: OptimiserConfig, epoch: float) -> None:
    """Linear warm-up, then a cosine to 0; epoch counts in fractions."""
    share = epoch / config.epochs
    if share < config.warm_up:
        factor = share / config.warm_up
    else:
        factor = 0.5 * (1 + math.cos(math.pi * (share - config.warm_up) / max(1 - config.warm_up, 1e-9)))
    for group in optimiser.param_groups:
        group["lr"] = config.learning_rate * factor * group["scale"]
