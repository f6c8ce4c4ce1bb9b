"""The residual unit's squeeze-excitation: a control of the ablation."""

import torch

from occlumark.model.backbone import Backbone, BasicBlock, SqueezeExcitation


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
