"""What a run is judged by, with networks whose answers are known."""

import numpy as np
import pytest
import torch

from occlumark.crop import CropConfig
from occlumark.data.pack import Pack
from occlumark.model.network import NetworkConfig, NetworkOutput
from occlumark.model.refinement import Refined
from occlumark.train import validation
from occlumark.train.config import LandmarkConfig
from occlumark.train.validation import predict, scores

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
