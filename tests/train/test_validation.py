"""What a run is judged by, with networks whose answers are known."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from occlumark.crop import CropConfig
from occlumark.data.pack import OCCLUDED, UNKNOWN, VISIBLE, Pack
from occlumark.model.network import NetworkConfig, NetworkOutput
from occlumark.model.refinement import Refined
from occlumark.train import validation
from occlumark.train.config import LandmarkConfig
from occlumark.train.face_dataset import LandmarkBatch
from occlumark.train.validation import predict, presence_scores, real_occlusion_scores, scores, validation_sizes

CONFIG = LandmarkConfig(crop=CropConfig(size=64))
CPU = torch.device("cpu")


class Oracle:
    """Answers by the order in which the faces come; what it is shown is kept."""

    def __init__(
        self,
        refinement: object | None,
        occlusion: list[np.ndarray] | None = None,
        P: list[np.ndarray] | None = None,
    ) -> None:
        self.refinement, self.occlusion, self.shown = refinement, list(occlusion or []), []
        self.P = list(P or [])
        self.config = NetworkConfig(distillation=bool(P))

    def __call__(self, crops: torch.Tensor) -> NetworkOutput:
        self.shown.append(crops.numpy().copy())
        landmarks = torch.arange(136.0).reshape(1, 68, 2).expand(len(crops), -1, -1)
        refined = None
        if self.refinement is not None:
            logits = torch.tensor(self.occlusion.pop(0), dtype=torch.float32) * 20 - 10
            refined = Refined((landmarks / 8,), logits, torch.zeros(logits.shape), torch.zeros(len(crops), 8, 8))
        P = torch.tensor(self.P.pop(0), dtype=torch.float32).unsqueeze(1) if self.P else None
        return NetworkOutput(landmarks, P, landmarks, refined)


def test_validation_occluders_are_the_same_for_every_run_and_others_for_another_draw(pack_path):
    pack, indices = Pack.open(pack_path), np.arange(4)
    shown = []
    for draw in (0, 0, 1):
        network = Oracle(None)
        seen = predict(network, pack, indices, CONFIG, CPU, occluded=True, draw=draw)
        shown.append(network.shown[0])
    clean = Oracle(None)
    plain = predict(clean, pack, indices, CONFIG, CPU, occluded=False)
    assert not plain.occluded.any() and np.isnan(plain.occlusion_probability).all()
    np.testing.assert_array_equal(shown[0], shown[1])
    assert (shown[0] != shown[2]).any() and (shown[0] != clean.shown[0]).any()
    np.testing.assert_array_equal(seen.truth, plain.truth)


def test_without_a_refinement_the_errors_alone(pack_path):
    found = scores(Oracle(None), Pack.open(pack_path), np.arange(4), CONFIG, CPU)
    assert list(found) == ["validation/nme", "validation/nme_occluded"]
    assert found["validation/nme"] == found["validation/nme_occluded"] > 0


def test_a_network_that_knows_what_is_occluded(pack_path):
    pack, indices = Pack.open(pack_path), np.arange(8)
    truth = predict(Oracle(None), pack, indices, CONFIG, CPU, occluded=True).occluded
    assert truth.any()
    clean_guess = np.zeros((8, 68))
    clean_guess[:, :17] = 1
    found = scores(Oracle(object(), [clean_guess, truth]), pack, indices, CONFIG, CPU)
    assert found["validation/occluded_ap"] == pytest.approx(1)
    assert found["validation/predicted_occluded"] == pytest.approx(17 / 68)
    worst = scores(Oracle(object(), [clean_guess, ~truth]), pack, indices, CONFIG, CPU)
    assert worst["validation/occluded_ap"] < 0.5


def test_the_occlusion_is_the_occluders_share_of_each_place(pack_path, monkeypatch):
    def upper_right(crop, landmarks, config, rng):
        alpha = np.zeros((64, 64), np.float32)
        alpha[:32, 48:] = 0.5
        alpha[:8, 56:] = 1
        return crop, alpha

    pack, indices = Pack.open(pack_path), np.arange(3)
    assert not predict(Oracle(None), pack, indices, CONFIG, CPU, occluded=False).occlusion.any()
    monkeypatch.setattr(validation, "occlude", upper_right)
    seen = predict(Oracle(None), pack, indices, CONFIG, CPU, occluded=True)
    np.testing.assert_allclose(seen.occlusion, [[[0, 0.25 + 0.5 / 16], [0, 0]]] * 3, atol=1e-6)
    assert np.isnan(seen.P).all()


def test_what_p_is_like_against_the_drawn_occlusion(pack_path):
    pack, indices = Pack.open(pack_path), np.arange(8)
    occlusion = predict(Oracle(None), pack, indices, CONFIG, CPU, occluded=True).occlusion
    clean_P = np.full((8, 2, 2), 0.6)
    clean_P[:, 0, 0] = 0.05
    knows, wrong = (Oracle(None, P=[clean_P, P]) for P in (1 - occlusion, occlusion))
    found = scores(knows, pack, indices, CONFIG, CPU)
    assert found["validation/P_mean"] == pytest.approx((3 * 0.6 + 0.05) / 4)
    assert found["validation/P_cut"] == pytest.approx(1 / 4)
    assert found["validation/occluded_share"] == pytest.approx((occlusion > 0.5).mean())
    assert found["validation/P_occlusion_ap"] == pytest.approx(1)
    assert scores(wrong, pack, indices, CONFIG, CPU)["validation/P_occlusion_ap"] < 0.5
    nothing = Oracle(None, P=[clean_P, np.full((8, 2, 2), 0.3)])
    told = scores(nothing, pack, indices, CONFIG, CPU)
    assert told["validation/P_occlusion_ap"] == pytest.approx(told["validation/occluded_share"])


def test_scales_are_in_crop_pixels(pack_path):
    seen = predict(
        Oracle(object(), [np.zeros((2, 68))]), Pack.open(pack_path), np.arange(2), CONFIG, CPU, occluded=False
    )
    np.testing.assert_array_equal(seen.scale, 8)  # the logarithm 0 stands for one cell
    assert seen.occlusion_probability.max() < 1e-4


def test_real_occlusion_by_hand(pack_path):
    pack, indices = Pack.open(pack_path), np.arange(2)
    states = np.full(pack.occlusion.shape, UNKNOWN, np.uint8)
    states[:2, :10], states[:2, 10:14] = VISIBLE, OCCLUDED
    pack = replace(pack, occlusion=states)
    guess = np.zeros((2, 68))
    guess[0, 10:14] = guess[1, 0] = 1  # the first face's all found, the second's missed, and one that is none
    # P of the second face is low in the lower half alone
    P = np.stack([np.ones((2, 2)), [[1, 1], [0, 0]]])
    found = real_occlusion_scores(Oracle(object(), [guess], P=[P]), pack, indices, CONFIG, CPU)
    assert found["validation/real_recall_80"] == pytest.approx(4 / 8)
    assert found["validation/real_false"] == pytest.approx(1 / 20)
    plain = predict(Oracle(None), pack, indices, CONFIG, CPU, occluded=False)
    errors = plain.distances / validation_sizes(pack, indices, CONFIG.crop)[:, None]
    assert found["validation/real_nme_occluded"] == pytest.approx(errors[:, 10:14].mean())
    assert found["validation/real_nme_visible"] == pytest.approx(errors[:, :10].mean())
    # of the second face's points those further down are the more occluded by 1 - P; all of the first come last, as ties
    y = plain.truth[1, :14, 1]
    score = np.concatenate([np.zeros(14), ((y - 16) / 32).clip(0, 1)])
    truth = np.tile([*[False] * 10, *[True] * 4], 2)
    order = np.argsort(-score, kind="stable")
    first = score[order] > 0
    hits = truth[order][first]
    precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
    expected = ((precision * hits).sum() + (8 - hits.sum()) * 8 / 28) / 8
    assert found["validation/P_real_ap"] == pytest.approx(expected)
    known = replace(pack, occlusion=np.full(pack.occlusion.shape, VISIBLE, np.uint8))
    assert real_occlusion_scores(Oracle(object(), [guess], P=[P]), known, indices, CONFIG, CPU) == {}


def test_presence_by_hand():
    class Faces(torch.utils.data.Dataset):
        def __len__(self):
            return 5

        def __getitem__(self, i):
            nothing = torch.zeros(1)
            return LandmarkBatch(torch.full((2, 2, 3), 10 * i), nothing, nothing, nothing, torch.tensor(float(i != 1)))

    def network(crops):
        logit = torch.tensor([3.0, 1.0, -1.0, 3.0, 3.0])[(crops[:, 0, 0, 0] // 10).long()]
        return NetworkOutput(logit, None, logit, None, logit)

    found = presence_scores(network, Faces(), CONFIG, CPU)
    # of four faces one is lost; what is none is kept, and second by its doubt
    assert found == pytest.approx(
        {"validation/no_face_ap": 0.5, "validation/faces_lost": 0.25, "validation/no_face_kept": 1.0}
    )
    assert presence_scores(network, None, CONFIG, CPU) == {}
