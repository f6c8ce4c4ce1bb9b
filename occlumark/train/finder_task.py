"""Training the face finder: canvases made of scenes, and the recall on scenes kept apart."""

import hashlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from occlumark.data.scene_augment import TrainingScenes, training_canvas
from occlumark.data.scenes import Scene, held_out, read_scenes
from occlumark.data.split import split_validation
from occlumark.finder import best_faces, padded
from occlumark.metrics.finder import Matches, detection_average_precision, match, recall_at_fppi
from occlumark.model.face_finder import FinderNetwork, anchor_points
from occlumark.model.finder_objective import FACE, IGNORED, finder_objective
from occlumark.occluders.occlude import check_folders
from occlumark.packaged import packaged_finder
from occlumark.photo import read_photo
from occlumark.train.batches import training_batches
from occlumark.train.checkpoint import averaged_weights, load_checkpoint, load_weights
from occlumark.train.config import FinderConfig
from occlumark.train.distributed import DistributedContext
from occlumark.train.exported_start import read_exported, unfold
from occlumark.train.precision import autocast

# Boxes of a canvas that the objective gets: all faces, and as many ignored ones as make up this number. What lies in
# further ignored ones counts as background; of 174,000 canvases of configs/finder.toml that happens to 4.
_MOST_BOXES = 96
# Scenes on a canvas, at most.
_SCENES = 4
_CANVASES_FOR_STATISTICS = 64


class FinderBatch(NamedTuple):
    """Training canvases and the boxes on them; without the first axis it is one canvas."""

    canvases: UInt8[Tensor, "B size size 3"]
    """RGB."""
    boxes: Float[Tensor, "B M 4"]
    """x0, y0, x1, y1 in canvas pixels, faces first."""
    kinds: Int[Tensor, "B M"]
    """FACE, IGNORED, or 0, which fills up."""


class FinderTask:
    """A run of the face finder on a folder of scenes (task.Task says what each member is).

    The held-out scenes are never read; a part of the others is kept for validation.

    Args:
        config: of the run.
        folder: with photos and a `boxes.csv`.

    Raises:
        AnnotationError: the folder cannot be used.
        PhotoError: a photo cannot be read.
        ConfigError: a folder of cut-outs cannot be used.
    """

    kind = "finder"

    def __init__(self, config: FinderConfig, folder: Path) -> None:
        self.config = config
        usable, _ = held_out(read_scenes(folder))
        names = [scene.name for scene in usable]
        # Scenes are held out by seed 0: by the same lot none would be left for validation.
        training, validation = split_validation(names, config.validation_share, config.validation_seed + 1)
        check_folders(config.augment.occlude)
        self.data_digest = scenes_digest(usable)
        chosen = [usable[i] for i in training]
        self._source = TrainingScenes(chosen, [read_photo(scene.photo) for scene in chosen])
        self._validation = [usable[i] for i in validation]
        size = config.augment.size
        self._anchor_points = anchor_points(size, size)

    @property
    def markup(self) -> None:
        """It finds no landmarks."""

    @property
    def training_size(self) -> int:
        """Canvases of an epoch."""
        return len(self._source.scenes) * self.config.canvases

    def build(self, *, is_resumed: bool = False) -> FinderNetwork:
        """The network with random weights, or with those that it starts from (train.task.Task).

        Raises:
            CheckpointError: the checkpoint or exported file cannot be used.
        """
        network = FinderNetwork(self.config.network)
        if self.config.start and not is_resumed:
            path = packaged_finder()[0] if self.config.start == "finder" else Path(self.config.start)
            if path.suffix == ".onnx":
                unfold(network, read_exported(path), self._some_canvases(), path)
            else:
                load_weights(network, averaged_weights(load_checkpoint(path)), path)
        return network

    def _some_canvases(self) -> Tensor:
        """Canvases (B, size, size, 3) whose statistics a network from an exported file starts with."""
        canvases = Canvases(self._source, self.config, 0)
        chosen = np.linspace(0, len(canvases) - 1, min(len(canvases), _CANVASES_FOR_STATISTICS)).round().astype(int)
        return torch.stack([canvases[int(i)].canvases for i in chosen])

    def parameter_groups(self, network: FinderNetwork) -> list[dict[str, Any]]:
        """Kernels decay, biases and batch norm do not."""
        kernels = [parameter for parameter in network.parameters() if parameter.ndim > 1]
        others = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
        return [{"params": kernels, "scale": 1.0}, {"params": others, "scale": 1.0, "weight_decay": 0.0}]

    def batches(self, epoch: int, context: DistributedContext) -> DataLoader[Any]:
        """FinderBatch, of Canvases' canvases."""
        canvases = Canvases(self._source, self.config, epoch)
        return training_batches(canvases, self.config, epoch, context)

    def terms(
        self, network: FinderNetwork, model: nn.Module, batch: FinderBatch, step: int, device: torch.device
    ) -> dict[str, Tensor]:
        """The scores' and the boxes' term."""
        canvases, boxes, kinds = (part.to(device) for part in batch)
        used = max(1, int((kinds != 0).sum(1).max()))  # most canvases carry few boxes
        with autocast(self.config.optimiser, device):
            output = model(canvases)
        where = self._anchor_points.to(device)
        return finder_objective(self.config.objective, output, where, boxes[:, :used], kinds[:, :used])

    def epoch_scalars(self) -> dict[str, float]:
        """Nothing besides the terms."""
        return {}

    def validate(self, network: FinderNetwork, device: torch.device) -> dict[str, float]:
        """Average precision, and the share of faces found at 0.1 false positives per image, on the validation scenes.

        Empty where these have no face.
        """
        if not any(len(scene.faces) for scene in self._validation):
            return {}
        matches = [self._match(network, scene, device) for scene in self._validation]
        return {
            "validation/ap": detection_average_precision(matches),
            "validation/recall": recall_at_fppi(matches, matches),
        }

    def _match(self, network: FinderNetwork, scene: Scene, device: torch.device) -> Matches:
        photo = padded(read_photo(scene.photo))
        with autocast(self.config.optimiser, device):
            output = network(torch.tensor(photo)[None].to(device))
        boxes, scores = best_faces(output.boxes[0].cpu().numpy(), output.logits[0].sigmoid().cpu().numpy(), 0.02)
        return match(boxes, scores, scene.faces, scene.ignored)


class Canvases(Dataset[FinderBatch]):
    """Training canvases. Canvas i of epoch e is the same whoever makes it: its generator is (seed, e, i).

    Args:
        source: the scenes.
        config: of the run.
        epoch: which pass this is.
    """

    def __init__(self, source: TrainingScenes, config: FinderConfig, epoch: int) -> None:
        self.source, self.config, self.epoch = source, config, epoch
        self.room = max(_MOST_BOXES, _SCENES * max((len(scene.faces) for scene in source.scenes), default=0))

    def __len__(self) -> int:
        return len(self.source.scenes) * self.config.canvases

    def __getitem__(self, index: int) -> FinderBatch:
        """One canvas, without the batch's axis."""
        rng = np.random.default_rng((self.config.seed, self.epoch, index))
        canvas = training_canvas(self.source, index % len(self.source.scenes), self.config.augment, rng)
        n_faces = len(canvas.faces)
        kept = np.concatenate([canvas.faces, canvas.ignored[: max(0, _MOST_BOXES - n_faces)]])
        boxes, kinds = np.zeros((self.room, 4), np.float32), np.zeros(self.room, np.int64)
        boxes[: len(kept)] = kept
        kinds[:n_faces], kinds[n_faces : len(kept)] = FACE, IGNORED
        return FinderBatch(torch.from_numpy(canvas.pixels), torch.from_numpy(boxes), torch.from_numpy(kinds))


def scenes_digest(scenes: list[Scene]) -> str:
    """Names the scenes and their boxes: SHA-256, as hexadecimal digits."""
    digest = hashlib.sha256("\n".join(scene.name for scene in scenes).encode())
    for scene in scenes:
        for boxes in (scene.faces, scene.ignored):
            digest.update(np.ascontiguousarray(boxes).tobytes())
    return digest.hexdigest()
