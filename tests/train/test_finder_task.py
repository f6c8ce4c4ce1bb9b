"""Training runs of the face finder, a few steps long, on drawn scenes."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from occlumark.config import from_mapping
from occlumark.data.scene_augment import TrainingScenes, training_canvas
from occlumark.data.scenes import Scene, held_out, read_scenes
from occlumark.errors import CheckpointError, ConfigError, PhotoError
from occlumark.model.face_finder import FinderNetwork, FinderOutput
from occlumark.model.finder_objective import FACE, IGNORED
from occlumark.train import loop
from occlumark.train.checkpoint import averaged_weights, load_checkpoint
from occlumark.train.config import FinderConfig
from occlumark.train.distributed import DistributedContext
from occlumark.train.finder_task import Canvases, FinderTask, scenes_digest
from occlumark.train.loop import train

NETWORK = {"stem": 4, "widths": [4, 6, 8, 8, 8], "blocks": [1, 1, 1, 1, 1], "neck": 6}
SMALL = {
    "workers": 0,
    "validation_share": 0.2,
    "canvases": 1,
    "network": NETWORK,
    "optimiser": {"epochs": 2, "batch": 4, "precision": "fp32"},
    "augment": {"size": 64, "face_sides": [10, 60]},
}
CPU = torch.device("cpu")
NONE = np.empty((0, 4))


def small(**changes) -> FinderConfig:
    return from_mapping(FinderConfig, SMALL | changes)


@pytest.fixture
def folder(tmp_path) -> Path:
    """28 scenes of 50 x 70 px: a bright face on each but every fourth, a dim place that is neither on every third."""
    path = tmp_path / "scenes"
    path.mkdir()
    rng = np.random.default_rng(0)
    rows = ["file,kind,x0,y0,x1,y1"]
    for i in range(28):
        name = f"drawn_{i}.png"
        photo = rng.integers(0, 90, (50, 70, 3), np.uint8)
        if i % 4:
            x, y = rng.integers(5, 30), rng.integers(5, 20)
            photo[y : y + 24, x : x + 20] = 220
            rows.append(f"{name},manual,{x},{y},{x + 20},{y + 24}")
        elif i % 3:
            rows.append(f"{name},none,,,,")
        if i % 3 == 0:
            photo[34:48, 52:66] = 140
            rows.append(f"{name},ignore,52,34,66,48")
        Image.fromarray(photo).save(path / name)
    (path / "boxes.csv").write_text("\n".join(rows) + "\n")
    return path


def change_table(folder: Path, old: str, new: str) -> None:
    table = folder / "boxes.csv"
    text = table.read_text()
    assert text.count(old) == 1
    table.write_text(text.replace(old, new))


def test_a_run_writes_checkpoint_and_log(folder, tmp_path):
    out = tmp_path / "run"
    checkpoint = load_checkpoint(train(FinderTask(small(), folder), out, device="cpu"))
    assert (checkpoint.kind, checkpoint.config, checkpoint.epoch) == ("finder", small(), 2)
    assert checkpoint.network.keys() == FinderNetwork(small().network).state_dict().keys()
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    told = {"objective/scores", "objective/boxes", "validation/ap", "validation/recall"}
    assert lines[-1].keys() == {"epoch", "images_per_s", "learning_rate", "bf16"} | told
    assert [line["epoch"] for line in lines] == [1, 2]


def test_resuming_ends_where_an_uninterrupted_run_ends(folder, tmp_path, monkeypatch):
    straight = load_checkpoint(train(FinderTask(small(), folder), tmp_path / "straight", device="cpu"))
    whole = loop._train_epoch

    def interrupted(task, state, *rest):
        if state.epoch == 1:
            raise KeyboardInterrupt
        return whole(task, state, *rest)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, "_train_epoch", interrupted)
        train(FinderTask(small(), folder), tmp_path / "broken", device="cpu")
    resumed = load_checkpoint(train(FinderTask(small(), folder), tmp_path / "broken", resume=True, device="cpu"))
    for part in ("network", "averaged", "optimiser"):
        expected, got = getattr(straight, part), getattr(resumed, part)
        assert expected.keys() == got.keys()
        assert [name for name in expected if not torch.equal(expected[name], got[name])] == []


def test_held_out_scenes_are_never_read(folder, tmp_path):
    usable, other = held_out(read_scenes(folder))
    assert len(usable) > 15 and len(other) > 2
    task = FinderTask(small(), folder)
    digest, network = task.data_digest, task.build()
    for scene in other:
        scene.photo.write_bytes(b"no photo")
    task = FinderTask(small(), folder)
    assert task.data_digest == digest
    assert task.training_size < len(usable)  # some are kept for validation
    assert set(task.validate(network.eval().requires_grad_(False), CPU)) == {"validation/ap", "validation/recall"}
    train(task, tmp_path / "run", device="cpu")


def test_each_other_scene_is_trained_on_or_validated_with(folder):
    usable, _ = held_out(read_scenes(folder))
    task = FinderTask(small(), folder)
    shares = [[scene.name for scene in part] for part in (task._source.scenes, task._validation)]
    assert sorted(shares[0] + shares[1]) == [scene.name for scene in usable]
    assert min(map(len, shares)) > 0
    assert FinderTask(small(validation_share=0.14), folder)._validation  # not the lot by which scenes are held out
    assert FinderTask(small(canvases=3), folder).training_size == 3 * len(shares[0])


def test_a_photo_that_cannot_be_read_is_named(folder, tmp_path):
    usable, _ = held_out(read_scenes(folder))
    usable[0].photo.write_bytes(b"no photo")
    with pytest.raises(PhotoError, match=usable[0].name) as caught:
        task = FinderTask(small(), folder)
        task.validate(task.build().eval().requires_grad_(False), CPU)
    assert "\n" not in str(caught.value)


def test_a_missing_masks_folder_is_named(folder, tmp_path):
    augment = SMALL["augment"] | {"occlude": {"kinds": ["mask"], "masks": str(tmp_path / "nowhere")}}
    with pytest.raises(ConfigError, match="nowhere") as caught:
        FinderTask(small(augment=augment), folder)
    assert "\n" not in str(caught.value)


def test_too_few_scenes_are_refused(folder, tmp_path):
    with pytest.raises(ConfigError, match="fewer than a batch of 64"):
        train(FinderTask(small(optimiser={"batch": 64}), folder), tmp_path / "run", device="cpu")
    with pytest.raises(ConfigError, match=r"canvases is in 1..1_000, not 0"):
        small(canvases=0)


def test_digest_tells_other_boxes_and_other_scenes_apart(folder):
    def digest() -> str:
        return scenes_digest(read_scenes(folder))

    first = digest()
    assert digest() == first
    change_table(folder, "drawn_0.png,ignore,52", "drawn_0.png,ignore,52.5")
    moved = digest()
    (folder / "drawn_1.png").rename(folder / "drawn_1b.png")
    change_table(folder, "drawn_1.png", "drawn_1b.png")
    assert len({first, moved, digest()}) == 3


class Knowing(nn.Module):
    """Answers each photo in turn with what it is given: boxes and their scores."""

    def __init__(self, answers) -> None:
        super().__init__()
        self.answers = iter(answers)

    def forward(self, photos: torch.Tensor) -> FinderOutput:
        assert photos.shape == (1, 64, 96, 3)  # 50 x 70 px, filled up
        assert not photos[:, 50:].any() and not photos[:, :, 70:].any()
        boxes, scores = (torch.tensor(part, dtype=torch.float32)[None] for part in next(self.answers))
        return FinderOutput(scores.logit(), boxes)


def test_validation_by_hand(folder):
    task = FinderTask(small(), folder)
    scenes = task._validation
    faces = sum(len(scene.faces) for scene in scenes)
    assert faces >= 3

    def told(answer) -> tuple[float, ...]:
        return tuple(task.validate(Knowing(map(answer, scenes)), CPU).values())

    def right(scene: Scene) -> tuple:
        """Each face, and less surely the same again and what is neither face nor background."""
        boxes = [*scene.faces, *scene.faces + 1, *scene.ignored, [0, 0, 9, 9]]
        k = len(scene.faces)
        return np.array(boxes), [0.9] * k + [0.8] * k + [0.95] * len(scene.ignored) + [0.01]

    def late(scene: Scene) -> tuple:
        """A false face on each scene, surer than its faces."""
        return np.array([[0, 0, 4, 4], *scene.faces]), [0.9] + [0.5] * len(scene.faces)

    assert told(right) == (1.0, 1.0)
    assert told(late) == pytest.approx((faces / (faces + len(scenes)), 0.0))
    assert told(lambda scene: (np.array([[0, 0, 4, 4]]), [0.01])) == (0.0, 0.0)


def test_nothing_to_validate_with_is_nothing_to_tell(folder):
    task = FinderTask(small(validation_share=0.0), folder)
    assert task.validate(task.build(), CPU) == {}
    assert task.epoch_scalars() == {}


def test_biases_and_batch_norms_do_not_decay(folder):
    task = FinderTask(small(), folder)
    network = task.build()
    kernels, others = task.parameter_groups(network)
    assert "weight_decay" not in kernels and others["weight_decay"] == 0.0
    names = {id(parameter): name for name, parameter in network.named_parameters()}
    grouped = [[names[id(parameter)] for parameter in group["params"]] for group in (kernels, others)]
    assert sorted(grouped[0] + grouped[1]) == sorted(names.values())
    assert {"stem.0.weight", "score.weight"} <= set(grouped[0])
    assert {"stem.1.weight", "stem.1.bias", "score.bias"} <= set(grouped[1])


def test_batches_carry_what_is_on_their_canvases(folder):
    task = FinderTask(small(canvases=2), folder)
    batches = list(task.batches(0, DistributedContext(0, 1, CPU)))
    assert len(batches) == task.training_size // 4
    faces = 0
    for canvases, boxes, kinds in batches:
        assert canvases.shape == (4, 64, 64, 3) and canvases.dtype == torch.uint8
        assert boxes.shape == (4, kinds.shape[1], 4) and boxes.dtype == torch.float32
        assert set(kinds.unique().tolist()) <= {0, FACE, IGNORED}
        assert not boxes[kinds == 0].any()
        assert (boxes[kinds != 0][:, 2:] > boxes[kinds != 0][:, :2]).all()
        faces += int((kinds == FACE).sum())
    assert faces > 5


def test_a_canvas_hangs_on_seed_epoch_and_index_alone(folder):
    source = FinderTask(small(), folder)._source

    def pixels(epoch: int, index: int, seed: int = 0) -> bytes:
        return Canvases(source, small(seed=seed), epoch)[index][0].numpy().tobytes()

    assert pixels(3, 5) == pixels(3, 5)
    assert len({pixels(3, 5), pixels(4, 5), pixels(3, 6), pixels(3, 5, seed=1)}) == 4


def crowded(n_faces: int, n_ignored: int) -> Canvases:
    """Canvases of one scene that shows all its boxes, whole and large enough."""
    columns, rows = np.meshgrid(np.arange(20) * 10.0, np.arange(20) * 10.0)
    boxes = np.stack([columns, rows, columns + 8, rows + 8], -1).reshape(-1, 4)
    faces, ignored = boxes[:n_faces], boxes[n_faces : n_faces + n_ignored]
    scene = Scene(Path("crowd.png"), faces, np.ones(n_faces, bool), ignored)
    augment = {"size": 192, "mosaic": 0, "blank": 0, "turn_std_deg": 0, "smallest_face": 0.1, "visible": [0.0, 1e-9]}
    source = TrainingScenes([scene], [np.zeros((200, 200, 3), np.uint8)])
    return Canvases(source, small(augment=augment | {"face_sides": [1, 1], "smallest_photo": 0.3}), 0)


@pytest.mark.parametrize(("faces", "ignored", "told"), [(3, 4, 4), (40, 100, 56), (120, 5, 0), (96, 5, 0), (95, 5, 1)])
def test_all_faces_are_told_and_of_many_ignored_places_the_first(faces, ignored, told):
    canvases = crowded(faces, ignored)
    _, boxes, kinds = canvases[0]
    assert kinds.tolist() == [FACE] * faces + [IGNORED] * told + [0] * (len(kinds) - faces - told)
    rng = np.random.default_rng((0, 0, 0))
    canvas = training_canvas(canvases.source, 0, canvases.config.augment, rng)
    expected = np.concatenate([canvas.faces, canvas.ignored[:told]])
    np.testing.assert_allclose(boxes[: faces + told].numpy(), expected, rtol=1e-6)


@pytest.mark.slow
def test_a_batch_without_any_box_is_trained_on(folder, tmp_path):
    path = train(FinderTask(small(augment=SMALL["augment"] | {"blank": 1.0}), folder), tmp_path / "run", device="cpu")
    line = json.loads((path.parent / "log.jsonl").read_text().splitlines()[-1])
    assert line["objective/boxes"] == 0 and line["objective/scores"] > 0


@pytest.mark.slow
def test_a_run_starts_from_the_averaged_weights_of_another(folder, tmp_path):
    first = train(FinderTask(small(), folder), tmp_path / "first")
    task = FinderTask(small(start=str(first)), folder)
    ours, theirs = task.build().state_dict(), averaged_weights(load_checkpoint(first))
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    with pytest.raises(CheckpointError, match="no such checkpoint"):
        FinderTask(small(start=str(tmp_path / "none")), folder).build()
