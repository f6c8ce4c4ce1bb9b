"""Which places learn which face, and both terms of the objective, worked by hand."""

import numpy as np
import pytest
import torch

from occlumark import boxes as numpy_boxes
from occlumark.model.face_finder import FinderNetwork, FinderNetworkConfig, FinderOutput, anchor_points
from occlumark.model.finder_objective import (
    FACE,
    IGNORED,
    FinderObjectiveConfig,
    assign,
    finder_objective,
    iou_and_giou,
)

CONFIG = FinderObjectiveConfig()


def box(x: float, y: float, width: float, height: float | None = None) -> list[float]:
    """A box by its centre and sides."""
    height = width if height is None else height
    return [x - width / 2, y - height / 2, x + width / 2, y + height / 2]


def learnt(truth: list[list[float]], config: FinderObjectiveConfig = CONFIG, size: int = 224) -> dict[tuple, int]:
    """The places of a photo that learn a face, as (x, y, stride), and the index of its box."""
    where = anchor_points(size, size)
    positive, face = assign(config, where, torch.tensor([truth]), torch.ones(1, len(truth), dtype=torch.bool))
    return {tuple(where[i].int().tolist()): int(face[0, i]) for i in positive[0].nonzero().flatten().tolist()}


@pytest.mark.parametrize(
    ("second", "overlap", "generalised"),
    [
        ([0, 0, 4, 4], 1, 1),
        ([2, 2, 6, 6], 4 / 28, 4 / 28 - 8 / 36),
        ([1, 1, 3, 3], 4 / 16, 4 / 16),
        ([4, 0, 8, 4], 0, 0),
        ([8, 0, 12, 4], 0, -16 / 48),
        ([5, 5, 6, 6], 0, -(36 - 17) / 36),
    ],
)
def test_overlaps_by_hand(second, overlap, generalised):
    pair = [torch.tensor([[0.0, 0, 4, 4]]), torch.tensor([second], dtype=torch.float32)]
    for first, other in (pair, pair[::-1]):
        got = iou_and_giou(first, other)
        assert [got[0].item(), got[1].item()] == pytest.approx([overlap, generalised])


def test_overlaps_are_those_of_the_finished_finder():
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, 60, (2, 50, 2)).astype(np.float32)
    first, second = np.concatenate([corners, corners + rng.uniform(2, 50, (2, 50, 2)).astype(np.float32)], -1)
    expected = np.diag(numpy_boxes.box_iou(first, second))
    assert (expected > 0).mean() > 0.3
    np.testing.assert_allclose(iou_and_giou(torch.tensor(first), torch.tensor(second))[0].numpy(), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("side", "strides"),
    [
        (3, {8}),
        (8, {8}),
        (16, {8}),
        (31, {8, 16}),  # from 2 strides of 16 less a fifth on: 25.6
        (33, {8, 16}),
        (39, {8, 16}),  # up to 4 strides of 8 and a quarter more: 40
        (41, {16}),
        (64, {16, 32}),
        (79, {16, 32}),
        (81, {32}),
        (120, {32, 64}),
        (200, {64}),
        (900, {64}),
    ],
)
def test_the_grids_that_suit_a_faces_size_learn_it(side, strides):
    for shape in ((side, side), (side, side / 2), (side / 2, side)):  # the longer side counts
        assert {place[2] for place in learnt([box(112, 112, *shape)])} == strides


def test_without_sharing_one_grid_learns_a_face():
    for side in (8, 31, 33, 63, 65, 127, 129, 300):
        grids = {place[2] for place in learnt([box(112, 112, side)], FinderObjectiveConfig(shared=1.0))}
        assert grids == {8 if side < 32 else 16 if side < 64 else 32 if side < 128 else 64}


def test_places_around_a_faces_centre_by_hand():
    # 16 px: the radius is 0.75 strides, 6 px, as 0.3 of the side is less.
    assert learnt([box(100, 100, 16)]) == {(100, 100, 8): 0}
    assert set(learnt([box(104, 104, 16)])) == {(x, y, 8) for x in (100, 108) for y in (100, 108)}
    # 60 x 20 px: the grid of 16 px up to 18 px to the sides and 12 up and down, that of 32 px up to 24 px both ways.
    wide = learnt([box(104, 104, 60, 20)])
    assert set(wide) == {(104, 104, 16), (88, 104, 16), (120, 104, 16)} | {
        (x, y, 32) for x in (80, 112) for y in (80, 112)
    }


@pytest.mark.parametrize("size", [32, 96, 224])
def test_each_face_has_a_place_wherever_it_is(size):
    rng = np.random.default_rng(size)
    n = 2000
    centres = rng.uniform(0, size, (n, 2))
    half = 2 ** rng.uniform(0, 8, (n, 1)) * 2 ** rng.uniform(-0.5, 0.5, (n, 2))
    truth = torch.tensor(np.concatenate([centres - half, centres + half], 1)[:, None], dtype=torch.float32)
    for radius in (0.5, 0.75):
        config = FinderObjectiveConfig(centre_radius=radius, core=0.01)
        positive, face = assign(config, anchor_points(size, size), truth, torch.ones(n, 1, dtype=torch.bool))
        assert positive.any(1).all()
        assert not face.any()


def test_of_two_faces_on_a_place_the_nearer_in_its_own_size_is_learnt():
    config = FinderObjectiveConfig(core=0.5)
    got = learnt([box(100, 100, 64), box(116, 100, 32)], config)
    assert got[104, 104, 16] == 0  # 4 px of 64 from the first, 12 px of 32 from the second
    assert got[120, 104, 16] == 1  # 20 px of 64, 4 px of 32
    got = learnt([box(132, 104, 26), box(104, 104, 79)], config)
    assert got[120, 104, 16] == 1  # 12 px of 26 are farther than 16 px of 79


def test_boxes_that_are_no_face_are_learnt_by_no_place():
    truth = torch.tensor([[box(100, 100, 16), box(50, 50, 40), [0.0, 0, 0, 0]]])
    is_face = torch.tensor([[True, False, False]])
    positive, _ = assign(CONFIG, anchor_points(128, 128), truth, is_face)
    assert anchor_points(128, 128)[positive[0]].tolist() == [[100, 100, 8]]


# Four places in a row: the first positive a face and overlaps it by half, the third lies on an ignored box.
ROW = torch.tensor([[4.0, 4, 8], [12, 4, 8], [20, 4, 8], [28, 4, 8]])
TRUTH = torch.tensor([[[0.0, 0, 8, 8], [16, 0, 24, 8]]])
KINDS = torch.tensor([[FACE, IGNORED]])


def row() -> FinderOutput:
    found = torch.tensor([[[0.0, 0, 8, 4], [8, 0, 16, 8], [16, 0, 24, 8], [24, 0, 32, 8]]])
    return FinderOutput(torch.tensor([[0.3, -1.0, 2.0, -2.0]], requires_grad=True), found.requires_grad_())


def plain_scores(negative: float = 0.75, focus: float = 2.0) -> float:
    """The varifocal loss of the row, its overlaps adding up to a half and so divided by 1."""

    def chance(logit: float) -> float:
        return 1 / (1 + np.exp(-logit))

    face = -(0.5 * np.log(chance(0.3)) + 0.5 * np.log(1 - chance(0.3)))
    background = [-negative * chance(logit) ** focus * np.log(1 - chance(logit)) for logit in (-1.0, -2.0)]
    return 0.5 * face + sum(background)


def test_both_terms_by_hand():
    terms = finder_objective(CONFIG, row(), ROW, TRUTH, KINDS)
    assert list(terms) == ["scores", "boxes"]
    assert terms["scores"].item() == pytest.approx(plain_scores(), rel=1e-5)
    assert terms["boxes"].item() == pytest.approx(2.0 * 0.5)


def test_each_weight_does_what_it_says():
    config = FinderObjectiveConfig(box=5.0, negative=0.2, focus=0.0)
    terms = finder_objective(config, row(), ROW, TRUTH, KINDS)
    assert terms["scores"].item() == pytest.approx(plain_scores(0.2, 0.0), rel=1e-5)
    assert terms["boxes"].item() == pytest.approx(5.0 * 0.5)


def test_terms_are_means_over_the_batchs_faces():
    fitting = torch.cat([TRUTH[:, :1], ROW.new_tensor([[box(x, 4, 8) for x in (12, 20, 28)]])], 1)
    output = FinderOutput(torch.zeros(3, 4), fitting.expand(3, -1, -1))
    terms = finder_objective(CONFIG, output, ROW, TRUTH[:, :1].expand(3, -1, -1), torch.full((3, 1), FACE))
    # Of each of three photos: one sure face of overlap 1 at a score of 1/2, and three places of background.
    assert terms["scores"].item() == pytest.approx(np.log(2) * (1 + 3 * 0.75 * 0.25), rel=1e-5)
    assert terms["boxes"].item() == 0


def test_boxes_that_fit_cost_nothing_and_others_do_wherever_they_are():
    output = row()
    for moved, cost in ((0.0, 0.0), (4.0, 2 * (1 - 1 / 3)), (16.0, 2 * (1 + 1 / 3))):
        found = output.boxes.detach().clone()
        found[0, 0] = TRUTH[0, 0] + torch.tensor([moved, 0, moved, 0])
        terms = finder_objective(CONFIG, FinderOutput(output.logits, found), ROW, TRUTH, KINDS)
        assert terms["boxes"].item() == pytest.approx(cost, abs=1e-6)


def test_gradients_reach_only_what_is_to_be_learnt():
    output = row()
    terms = finder_objective(CONFIG, output, ROW, TRUTH, KINDS)
    (boxes,) = torch.autograd.grad(terms["boxes"], output.boxes, retain_graph=True)
    assert boxes[0].abs().sum(1).gt(0).tolist() == [True, False, False, False]
    # The scores' targets and weights are numbers to them: no gradient to the boxes, and a plain one to the logits.
    logits, boxes = torch.autograd.grad(terms["scores"], output, allow_unused=True)
    assert boxes is None
    chance = torch.tensor([0.3, -1.0, 2.0, -2.0]).sigmoid()
    by_hand = [0.5 * (chance[0] - 0.5), 0.75 * chance[1] ** 3, 0.0, 0.75 * chance[3] ** 3]
    torch.testing.assert_close(logits[0], torch.tensor(by_hand))


def test_a_face_in_an_ignored_box_is_learnt():
    truth = torch.tensor([[[0.0, 0, 8, 8], [-20, -20, 40, 40]]])
    terms = finder_objective(CONFIG, row(), ROW, truth, KINDS)
    face = 0.5 * (0.5 * np.log1p(np.exp(-0.3)) + 0.5 * np.log1p(np.exp(0.3)))
    assert terms["scores"].item() == pytest.approx(face, rel=1e-5)
    assert terms["boxes"].item() == pytest.approx(1.0)


def test_room_for_boxes_that_is_not_used_changes_nothing():
    room = torch.zeros(1, 5, 4)
    terms = finder_objective(CONFIG, row(), ROW, TRUTH, KINDS)
    filled = torch.cat([TRUTH, room], 1), torch.cat([KINDS, torch.zeros(1, 5, dtype=torch.int64)], 1)
    assert finder_objective(CONFIG, row(), ROW, *filled) == terms


def test_a_batch_without_faces_is_all_background():
    output = row()
    terms = finder_objective(CONFIG, output, ROW, TRUTH, torch.zeros_like(KINDS))
    chance = output.logits.detach().sigmoid()
    assert terms["scores"].item() == pytest.approx((-0.75 * chance**2 * (1 - chance).log()).sum().item(), rel=1e-5)
    assert terms["boxes"].item() == 0
    torch.stack(list(terms.values())).sum().backward()
    assert torch.isfinite(output.logits.grad).all() and not output.boxes.grad.any()


@pytest.mark.slow
def test_one_batch_overfits():
    """Bright squares on noise: after some steps the best box of each photo lies on its square."""
    torch.manual_seed(0)
    canvases = torch.randint(0, 100, (4, 64, 64, 3), dtype=torch.uint8)
    truth = torch.tensor([[box(20, 24, 20)], [box(44, 40, 30)], [box(32, 20, 14)], [box(16, 44, 24)]])
    for canvas, (x0, y0, x1, y1) in zip(canvases, truth[:, 0].int().tolist(), strict=True):
        canvas[y0:y1, x0:x1] = 230
    network = FinderNetwork(FinderNetworkConfig(stem=8, widths=(8, 12, 16, 16, 16), blocks=(1, 1, 1, 1, 1), neck=12))
    optimiser = torch.optim.AdamW(network.parameters(), 1e-2)
    where, kinds = anchor_points(64, 64), torch.full((4, 1), FACE)
    for _ in range(60):
        terms = finder_objective(CONFIG, network(canvases), where, truth, kinds)
        optimiser.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimiser.step()
    logits, found = network(canvases)
    best = logits.argmax(1)
    overlap, _ = iou_and_giou(found[torch.arange(4), best], truth[:, 0])
    assert overlap.min() > 0.7
    assert logits.max(1).values.sigmoid().min() > 0.5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"box": 0.0}, "box is above 0 and at most 1_000_000.0, not 0.0"),
        ({"negative": -1.0}, "negative is above 0"),
        ({"focus": -0.1}, "focus is in 0..100, not -0.1"),
        ({"shared": 0.9}, "shared is in 1..10, not 0.9"),
        ({"sides": (4.0, 2.0)}, "sides ascends, not"),
        ({"sides": (2.0, 2.0)}, "sides ascend, not"),
        ({"sides": (0.0, 2.0)}, "sides is above 0"),
        ({"core": 0.6}, "core is above 0 and at most 0.5, not 0.6"),
        ({"centre_radius": 0.4}, "centre_radius is in 0.5..100, not 0.4"),
    ],
)
def test_impossible_settings_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        FinderObjectiveConfig(**wrong)
