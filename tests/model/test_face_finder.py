"""The face finder's network: where its places are, what its numbers mean, and that all of it learns."""

import math

import pytest
import torch

from occlumark.model.face_finder import STRIDES, FinderNetwork, FinderNetworkConfig, anchor_points, decode_boxes

TINY = FinderNetworkConfig(stem=4, widths=(4, 6, 8, 8, 8), blocks=(1, 1, 2, 1, 1), neck=6)
SHAPES = [(32, 32), (64, 32), (32, 224), (96, 160), (224, 224), (288, 352)]


def photos(n: int, height: int, width: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, height, width, 3), dtype=torch.uint8, generator=generator)


def numbered(module, inputs, output):
    """In place of a head's answer: of each place its row * 1000 + column."""
    rows, columns = (torch.arange(extent) for extent in output.shape[-2:])
    return (rows[:, None] * 1000.0 + columns).expand_as(output)


@pytest.mark.parametrize(("height", "width"), SHAPES)
def test_each_answer_belongs_to_its_place(height, width):
    network = FinderNetwork(TINY).eval()
    network.score.register_forward_hook(numbered)
    network.box.register_forward_hook(lambda module, inputs, output: torch.zeros_like(output))
    with torch.no_grad():
        logits, boxes = network(photos(2, height, width))
    x, y, stride = anchor_points(height, width).unbind(-1)
    assert len(x) == sum(math.ceil(height / s) * math.ceil(width / s) for s in STRIDES)
    assert logits.shape == (2, len(x))
    assert boxes.shape == (2, len(x), 4)
    for answer in boxes:  # the number 0 is a box centred on the place, one stride wide and high
        torch.testing.assert_close((answer[:, :2] + answer[:, 2:]) / 2, torch.stack([x, y], -1))
        torch.testing.assert_close(answer[:, 2:] - answer[:, :2], stride[:, None].expand(-1, 2))
    torch.testing.assert_close(logits[1], (y / stride - 0.5) * 1000 + x / stride - 0.5)


def test_places_by_hand():
    finest = [[4 + 8 * column, 4 + 8 * row, 8] for row in range(4) for column in range(8)]
    second = [[8, 8, 16], [24, 8, 16], [40, 8, 16], [56, 8, 16], [8, 24, 16], [24, 24, 16], [40, 24, 16], [56, 24, 16]]
    expected = torch.tensor([*finest, *second, [16, 16, 32], [48, 16, 32], [32, 32, 64]], dtype=torch.float32)
    torch.testing.assert_close(anchor_points(32, 64), expected)


def test_a_photo_of_the_smallest_size_has_one_place_on_each_coarse_grid():
    assert anchor_points(32, 32)[:, 2].tolist() == [8] * 16 + [16] * 4 + [32, 64]


def test_a_box_by_hand():
    raw = torch.zeros(2, 4, 2, 3)
    raw[1, :, 1, 2] = torch.tensor([0.25, -0.5, math.log(2), math.log(3)])
    boxes = decode_boxes(raw, 16)
    assert boxes.shape == (2, 6, 4)
    torch.testing.assert_close(boxes[1, 5], torch.tensor([28.0, -8.0, 60.0, 40.0]))
    torch.testing.assert_close(boxes[0, 5], torch.tensor([32.0, 16.0, 48.0, 32.0]))
    torch.testing.assert_close(boxes[1, 1], torch.tensor([16.0, 0.0, 32.0, 16.0]))


def test_sides_stay_within_their_bounds():
    raw = torch.tensor([0.0, 0.0, -100.0, 100.0]).view(1, 4, 1, 1)
    (x0, y0, x1, y1) = decode_boxes(raw, 8)[0, 0].tolist()
    assert (x1 - x0) / 8 == pytest.approx(math.exp(-2), rel=1e-5)
    assert (y1 - y0) / 8 == pytest.approx(math.exp(3.5), rel=1e-5)
    assert torch.isfinite(decode_boxes(torch.full((1, 4, 2, 2), 1e4), 64)).all()


def test_every_parameter_gets_a_gradient():
    torch.manual_seed(0)
    network = FinderNetwork(FinderNetworkConfig())
    logits, boxes = network(photos(2, 128, 160))
    (logits.square().mean() + (boxes / 64).square().mean()).backward()
    idle = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert idle == []


def test_finer_grids_hear_from_all_coarser_ones():
    network = FinderNetwork(TINY)
    logits = network(photos(2, 128, 128)).logits.split([256, 64, 16, 4], 1)
    for grid in range(4):
        network.zero_grad()
        logits[grid].square().sum().backward(retain_graph=True)
        heard = [p.grad is not None and bool(p.grad.any()) for p in (side[0].weight for side in network.laterals)]
        assert heard == [i >= grid for i in range(4)]


def test_it_is_small():
    assert sum(p.numel() for p in FinderNetwork(FinderNetworkConfig()).parameters()) < 500_000


def test_untrained_it_is_sure_of_nothing_and_its_boxes_are_three_strides_wide():
    network = FinderNetwork(TINY)
    with torch.no_grad():
        network.score.weight.zero_()
        network.box.weight.zero_()
        logits, boxes = network(photos(2, 64, 64))
    torch.testing.assert_close(logits.sigmoid(), torch.full_like(logits, 0.01))
    sides = (boxes[..., 2:] - boxes[..., :2]) / anchor_points(64, 64)[:, 2:]
    assert sides.flatten().tolist() == pytest.approx([3.0] * sides.numel(), abs=0.01)


def test_a_photo_gets_the_same_answer_alone_and_in_a_batch():
    torch.manual_seed(0)
    network = FinderNetwork(TINY)
    several = photos(3, 96, 64)
    network(several)  # statistics of the batch norms
    network.eval()
    with torch.no_grad():
        together = network(several)
        alone = [network(photo[None]) for photo in several]
    torch.testing.assert_close(together.logits, torch.cat([answer.logits for answer in alone]))
    torch.testing.assert_close(together.boxes, torch.cat([answer.boxes for answer in alone]))
    assert (together.logits[0] - together.logits[1]).abs().max() > 1e-5


def test_a_shortcut_stands_where_the_shape_stays():
    network = FinderNetwork(TINY)
    assert [block.has_shortcut for block in network.stages[2]] == [False, True]
    block = network.stages[2][1].eval()
    torch.nn.init.zeros_(block.mixing[1].weight)  # the last batch norm: the block adds nothing
    x = torch.rand(1, 8, 4, 4)
    torch.testing.assert_close(block(x), x)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"widths": (8, 8, 8, 8)}, "five numbers each.* not 4 and 5"),
        ({"blocks": (1,) * 6}, "five numbers each.* not 5 and 6"),
        ({"stem": 0}, "stem is in 1..2_048, not 0"),
        ({"neck": -2}, "neck is in 1..2_048, not -2"),
        ({"blocks": (1, 1, 0, 1, 1)}, "blocks is in 1..64, not 0"),
    ],
)
def test_impossible_networks_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        FinderNetworkConfig(**wrong)
