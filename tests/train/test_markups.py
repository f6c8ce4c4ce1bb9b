"""Training in other markups than 68 points, with landmarks that are not annotated."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from occlumark.config import from_mapping
from occlumark.crop import CropConfig, CropTransform
from occlumark.data.pack import Pack, PackConfig, write_pack
from occlumark.data.sample import Sample
from occlumark.errors import CheckpointError, ConfigError
from occlumark.model.network import NetworkConfig, NetworkOutput
from occlumark.packaged import packaged_weights
from occlumark.train import calibration
from occlumark.train.checkpoint import averaged_weights, built, load_checkpoint
from occlumark.train.config import LandmarkConfig
from occlumark.train.exported_start import read_exported
from occlumark.train.face_dataset import TrainingFaces, mean_face
from occlumark.train.landmark_task import LandmarkTask
from occlumark.train.loop import train
from occlumark.train.validation import predict, scores, validation_sizes

CPU = torch.device("cpu")
OTHERS = [19, 29, 98]


@pytest.fixture(scope="session")
def packs(tmp_path_factory) -> dict[int, Path]:
    """By markup 12 faces, every second without landmark 1, the others with an official box."""
    folder, found = tmp_path_factory.mktemp("markups"), {}
    rng = np.random.default_rng(0)
    for n in (*OTHERS, 68):
        shape, samples = rng.uniform(30, 90, (n, 2)), []
        for i in range(12):
            path = folder / f"{n}_{i:04d}.png"
            Image.fromarray(np.full((120, 120, 3), 60 + 9 * i, np.uint8)).save(path)
            landmarks = shape + rng.normal(0, 1, (n, 2))
            box = np.array([25.0, 27, 94, 90]) if i % 2 else None
            if not i % 2 and n != 68:
                landmarks[1] = np.nan
            samples.append(Sample(path.name, path, landmarks, box))
        found[n] = folder / f"{n}.pack"
        write_pack(samples, found[n], PackConfig(size=96, extent=1.9))
    return found


def config(n: int, **changes) -> LandmarkConfig:
    values = {
        "n_landmarks": n,
        "workers": 0,
        "validation_share": 0.3,
        "crop": {"size": 64},
        "augment": {"occlude": {"probability": 0.5, "kinds": ["patch", "erase"]}},
        "optimiser": {"epochs": 1, "batch": 4, "precision": "fp32"},
    }
    return from_mapping(LandmarkConfig, values | changes)


@pytest.mark.slow
@pytest.mark.parametrize("n", OTHERS)
def test_a_run_learns_and_its_checkpoint_carries_the_markup(n, packs, tmp_path, monkeypatch):
    task = LandmarkTask(config(n, network={"refinement": True}), packs[n])
    path = train(task, tmp_path, device="cpu")
    (line,) = [json.loads(entry) for entry in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert all(np.isfinite(value) for value in line.values())
    assert {"validation/nme", "validation/nme_occluded", "validation/predicted_occluded"} <= line.keys()
    header = path.read_bytes()[8:].split(b"\n")[0][:4000].decode(errors="ignore")
    assert f'\\"n_landmarks\\": {n}' in header
    checkpoint = load_checkpoint(path)
    network = built(task.build, averaged_weights(checkpoint), path).eval()
    assert (network.n_landmarks, checkpoint.config) == (n, task.config)
    with torch.no_grad():
        assert network(torch.zeros(1, 64, 64, 3, dtype=torch.uint8)).landmarks.shape == (1, n, 2)
    fitted_on = []
    monkeypatch.setattr(calibration, "fit", lambda scale, error: fitted_on.append((scale, error)))
    calibration.calibrate(network, task.pack, task.validation, task.labelled, checkpoint.config)
    scale, error = fitted_on[0]
    annotated = np.isfinite(task.pack.landmarks[task.validation]).all(2).sum()
    assert len(scale) == len(error) == annotated * (1 + calibration.DRAWS)
    assert np.isfinite(error).all() and (scale > 0).all()


def test_the_pack_and_the_configuration_are_of_one_markup(packs):
    with pytest.raises(CheckpointError, match=r"29\.pack holds faces of 29 landmarks, .* 19: --set n_landmarks=29"):
        LandmarkTask(config(19), packs[29])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_landmarks": 1}, "n_landmarks is in 2..1_000, not 1"),
        (
            {"augment": {}},
            r"kinds hair, hand, sunglasses are drawn from 68 landmarks, n_landmarks is 29; set .*\"patch\", \"er",
        ),
    ],
)
def test_a_configuration_that_cannot_be_says_what_can(changes, message):
    with pytest.raises(ConfigError, match=message) as caught:
        config(29, **changes)
    assert "\n" not in str(caught.value)


def test_occluders_that_are_never_drawn_do_not_matter():
    assert config(29, augment={"occlude": {"probability": 0}}).n_landmarks == 29


def test_an_older_configuration_is_of_68_points():
    assert LandmarkConfig().n_landmarks == 68


def test_what_is_not_annotated_stays_so_in_training_faces(packs):
    pack, settings = Pack.open(packs[29]), config(29)
    faces = TrainingFaces(pack, np.arange(12), settings.crop, settings.augment, 0, 0)
    for i in range(12):
        _, landmarks, occluded, *_ = faces[i]
        unknown = torch.isnan(landmarks).all(1).nonzero().flatten().tolist()
        assert unknown in (([0], [1]) if i % 2 == 0 else ([],))  # mirrored, landmark 1 is landmark 0
        assert occluded[unknown].isnan().all()


def test_the_mean_face_is_over_the_faces_that_have_a_landmark(packs):
    pack, crop = Pack.open(packs[98]), CropConfig(size=64)
    each = [
        CropTransform.from_box(box, crop).to_crop(landmarks)
        for box, landmarks in zip(pack.tight_boxes, pack.landmarks, strict=True)
    ]
    np.testing.assert_allclose(mean_face(pack, np.arange(12), crop), np.nanmean(each, axis=0), atol=1e-3)
    never = mean_face(pack, np.arange(0, 12, 2), crop)
    assert np.isnan(never[1]).all() and np.isfinite(np.delete(never, 1, axis=0)).all()


def test_a_landmark_that_no_training_face_has_is_named(packs):
    task = LandmarkTask(config(98), packs[98])
    task._training = np.arange(0, 12, 2)
    with pytest.raises(CheckpointError, match="no training face of the pack has landmark 1;"):
        task.build()


class Shifted:
    """Every landmark 3 crop pixels right of its true place."""

    refinement = None
    config = NetworkConfig(distillation=False)

    def __init__(self, truth: np.ndarray) -> None:
        self.truth = np.nan_to_num(truth)

    def __call__(self, crops: torch.Tensor):
        landmarks = torch.tensor(np.add(self.truth, [3, 0]))
        return NetworkOutput(landmarks, None, landmarks, None)


@pytest.mark.parametrize(("n", "corners"), [(68, (36, 45)), (29, (8, 9)), (98, (60, 72)), (19, None)])
def test_the_validation_error_is_over_the_markups_own_size(n, corners, packs):
    pack, indices, settings = Pack.open(packs[n]), np.arange(1, 12, 2), config(n, optimiser={"batch": 6})
    nowhere = Shifted(np.zeros((6, n, 2)))
    truth = predict(nowhere, pack, indices, settings, CPU, occluded=False).truth
    # the official box is 69 x 63 photo pixels, its crop 1.3 times as wide as the longer side
    sizes = np.full(6, 64 / 1.3)
    if corners:
        sizes = np.linalg.norm(truth[:, corners[0]] - truth[:, corners[1]], axis=1)
    found = scores(Shifted(truth), pack, indices, settings, CPU)
    assert found["validation/nme"] == pytest.approx((3 / sizes).mean(), rel=1e-4)
    assert found["validation/nme_occluded"] == pytest.approx(found["validation/nme"], rel=1e-6)


def test_only_annotated_landmarks_count_and_without_an_eye_corner_the_boxs_width_is_the_size(packs):
    pack, indices, settings = Pack.open(packs[98]), np.arange(0, 12, 2), config(98, optimiser={"batch": 6})
    truth = predict(Shifted(np.zeros((6, 98, 2))), pack, indices, settings, CPU, occluded=False).truth
    assert np.isnan(truth[:, 1]).all()
    expected = (3 / np.linalg.norm(truth[:, 60] - truth[:, 72], axis=1)).mean()
    assert scores(Shifted(truth), pack, indices, settings, CPU)["validation/nme"] == pytest.approx(expected, rel=1e-4)
    pack.landmarks.flags.writeable or object.__setattr__(pack, "landmarks", pack.landmarks.copy())
    pack.landmarks[indices, 60] = np.nan
    width, longer = pack.tight_boxes[0, 2] - pack.tight_boxes[0, 0], np.ptp(pack.tight_boxes[0].reshape(2, 2), 0).max()
    assert validation_sizes(pack, indices, settings.crop)[0] == pytest.approx(64 / 1.3 * width / longer, rel=1e-5)


def test_a_start_from_a_network_of_other_landmarks_leaves_what_belongs_to_single_ones(packs):
    """Against the file's own weights: the low-rank head's first convolution is taken, W_fc and the bias are not."""
    found = read_exported(packaged_weights("odn")[0])
    network = LandmarkTask(config(29, start="odn"), packs[29]).build()
    alone = LandmarkTask(config(29), packs[29]).build()
    torch.testing.assert_close(network.head.reduce[0].weight, found["head.reduce.0.weight"])
    assert found["head.W_fc"].shape[1] == 136 and network.head.W_fc.shape[1] == 58
    torch.testing.assert_close(network.head.bias, alone.head.bias)  # the pack's mean face
    assert torch.equal(network.M, torch.eye(len(network.M)))
