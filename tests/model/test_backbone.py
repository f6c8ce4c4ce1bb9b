"""Widths and depths, and squeeze-excitation: a control of the ablation."""

import torch

from occlumark.model.backbone import Backbone, BackboneConfig, BasicBlock, SqueezeExcitation


def test_each_channel_is_weighted_by_what_the_means_say_together():
    """Against the published equations, worked on the module's own numbers."""
    torch.manual_seed(0)
    module = SqueezeExcitation(32)
    x = torch.randn(3, 32, 4, 5)
    first, _, last, _ = module.weights
    assert first.weight.shape == (2, 32)  # reduction 16
    for face in range(3):
        means = x[face].flatten(1).sum(1) / 20
        weights = 1 / (1 + torch.exp(-(last.weight @ torch.relu(first.weight @ means + first.bias) + last.bias)))
        torch.testing.assert_close(module(x)[face], x[face] * weights[:, None, None])


def test_weights_start_near_the_stated_one():
    module = SqueezeExcitation(32)
    torch.nn.init.zeros_(module.weights[2].weight)
    torch.testing.assert_close(module(torch.ones(2, 32, 3, 3)), torch.full((2, 32, 3, 3), 0.9))


def test_it_stands_after_the_second_batch_norm_and_before_the_shortcut():
    torch.manual_seed(0)
    plain, excited = BasicBlock(16, 16).eval(), BasicBlock(16, 16, squeeze_excitation=True).eval()
    excited.load_state_dict(plain.state_dict(), strict=False)
    x = torch.rand(2, 16, 6, 6)
    with torch.no_grad():
        excited.excite.weights[2].bias.fill_(-100)  # weights of 0: the shortcut alone is left
        torch.testing.assert_close(excited(x), x)
        excited.excite.weights[2].bias.fill_(100)
        torch.testing.assert_close(excited(x), plain(x))


def test_every_unit_has_one_or_none_has():
    assert not [name for name in Backbone().state_dict() if "excite" in name]
    blocks = [m for m in Backbone(squeeze_excitation=True).modules() if isinstance(m, BasicBlock)]
    assert len(blocks) == 7 and all(block.excite is not None for block in blocks)


def test_the_default_is_resnet_18_and_other_widths_and_depths_are_as_named():
    shapes = {name: tuple(value.shape) for name, value in Backbone().state_dict().items()}
    assert shapes["conv1.weight"] == (64, 3, 7, 7) and shapes["layer4.0.conv1.weight"] == (512, 256, 3, 3)
    assert "layer3.1.conv2.weight" in shapes and "layer4.1.conv1.weight" not in shapes
    narrow = Backbone(BackboneConfig(stem=8, channels=(8, 16, 24, 32), units=(1, 3, 1, 1))).eval()
    maps = narrow(torch.zeros(1, 3, 64, 64))
    assert [tuple(each.shape[1:]) for each in maps] == [(8, 16, 16), (16, 8, 8), (24, 4, 4), (32, 2, 2)]
    assert [len(layer) for layer in (narrow.layer1, narrow.layer2, narrow.layer3, narrow.layer4)] == [1, 3, 1, 1]
