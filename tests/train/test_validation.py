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
from occlumark.train.validation import look, scores

CONFIG = LandmarkConfig(crop=CropConfig(size=64))
CPU = torch.device("cpu")


class Oracle:
    """Answers by the order in which the faces come; what it is shown is kept."""

    def __init__(
        self,
        refinement: object | None,
        hidden: list[np.ndarray] | None = None,
        P: list[np.ndarray] | None = None,
    ) -> None:
        self.refinement, self.hidden, self.shown = refinement, list(hidden or []), []
        self.P = list(P or [])
        self.config = NetworkConfig(distillation=bool(P))

    def __call__(self, crops: torch.Tensor) -> NetworkOutput:
        self.shown.append(crops.numpy().copy())
        landmarks = torch.arange(136.0).reshape(1, 68, 2).expand(len(crops), -1, -1)
        refined = None
        if self.refinement is not None:
            logits = torch.tensor(self.hidden.pop(0), dtype=torch.float32) * 20 - 10
            refined = Refined((landmarks / 8,), logits, torch.zeros(logits.shape), torch.zeros(len(crops), 8, 8))
        P = torch.tensor(self.P.pop(0), dtype=torch.float32).unsqueeze(1) if self.P else None
        return NetworkOutput(landmarks, P, landmarks, refined)


def test_covers_are_the_same_for_every_run_and_others_for_another_draw(pack_path):
    pack, indices = Pack.open(pack_path), np.arange(4)
    shown = []
    for draw in (0, 0, 1):
        network = Oracle(None)
        seen = look(network, pack, indices, CONFIG, CPU, covered=True, draw=draw)
        shown.append(network.shown[0])
    open_faces = Oracle(None)
    plain = look(open_faces, pack, indices, CONFIG, CPU, covered=False)
    assert not plain.covered.any() and np.isnan(plain.hidden).all()
    np.testing.assert_array_equal(shown[0], shown[1])
    assert (shown[0] != shown[2]).any() and (shown[0] != open_faces.shown[0]).any()
    np.testing.assert_array_equal(seen.truth, plain.truth)


def test_without_a_refinement_the_errors_alone(pack_path):
    found = scores(Oracle(None), Pack.open(pack_path), np.arange(4), CONFIG, CPU)
    assert list(found) == ["validation/nme", "validation/nme_covered"]
    assert found["validation/nme"] == found["validation/nme_covered"] > 0


def test_a_network_that_knows_what_is_hidden(pack_path):
    pack, indices = Pack.open(pack_path), np.arange(8)
    truth = look(Oracle(None), pack, indices, CONFIG, CPU, covered=True).covered
    assert truth.any()
    open_guess = np.zeros((8, 68))
    open_guess[:, :17] = 1
    found = scores(Oracle(object(), [open_guess, truth]), pack, indices, CONFIG, CPU)
    assert found["validation/hidden_ap"] == pytest.approx(1)
    assert found["validation/called_hidden"] == pytest.approx(17 / 68)
    worst = scores(Oracle(object(), [open_guess, ~truth]), pack, indices, CONFIG, CPU)
    assert worst["validation/hidden_ap"] < 0.5


def test_the_cover_is_the_occluders_share_of_each_place(pack_path, monkeypatch):
    def upper_right(crop, landmarks, config, rng):
        alpha = np.zeros((64, 64), np.float32)
        alpha[:32, 48:] = 0.5
        alpha[:8, 56:] = 1
        return crop, alpha

    pack, indices = Pack.open(pack_path), np.arange(3)
    assert not look(Oracle(None), pack, indices, CONFIG, CPU, covered=False).cover.any()
    monkeypatch.setattr(validation, "occlude", upper_right)
    seen = look(Oracle(None), pack, indices, CONFIG, CPU, covered=True)
    np.testing.assert_allclose(seen.cover, [[[0, 0.25 + 0.5 / 16], [0, 0]]] * 3, atol=1e-6)
    assert np.isnan(seen.P).all()


def test_what_p_is_like_against_the_drawn_cover(pack_path):
    pack, indices = Pack.open(pack_path), np.arange(8)
    cover = look(Oracle(None), pack, indices, CONFIG, CPU, covered=True).cover
    open_P = np.full((8, 2, 2), 0.6)
    open_P[:, 0, 0] = 0.05
    knows, wrong = (Oracle(None, P=[open_P, P]) for P in (1 - cover, cover))
    found = scores(knows, pack, indices, CONFIG, CPU)
    assert found["validation/P_mean"] == pytest.approx((3 * 0.6 + 0.05) / 4)
    assert found["validation/P_cut"] == pytest.approx(1 / 4)
    assert found["validation/cover_share"] == pytest.approx((cover > 0.5).mean())
    assert found["validation/P_cover_ap"] == pytest.approx(1)
    assert scores(wrong, pack, indices, CONFIG, CPU)["validation/P_cover_ap"] < 0.5
    nothing = Oracle(None, P=[open_P, np.full((8, 2, 2), 0.3)])
    told = scores(nothing, pack, indices, CONFIG, CPU)
    assert told["validation/P_cover_ap"] == pytest.approx(told["validation/cover_share"])


def test_scales_are_in_crop_pixels(pack_path):
    seen = look(Oracle(object(), [np.zeros((2, 68))]), Pack.open(pack_path), np.arange(2), CONFIG, CPU, covered=False)
    np.testing.assert_array_equal(seen.scale, 8)  # the logarithm 0 stands for one cell
    assert seen.hidden.max() < 1e-4
