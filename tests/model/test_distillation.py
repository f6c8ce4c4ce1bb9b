import torch

from occlumark.model.distillation import Distillation, DistillationConfig


def test_output_is_p_times_pathway_c():
    module = Distillation(16, DistillationConfig(width=4)).eval()
    Z = torch.randn(2, 16, 7, 7)
    clean, P = module(Z)
    assert P.shape == (2, 1, 7, 7)
    assert ((P > 0) & (P < 1)).all()
    torch.testing.assert_close(clean, P * module.pathway_c(Z))


def test_pathway_d_is_one_three_one_and_ends_in_one_channel():
    module = Distillation(16, DistillationConfig(width=4))
    convolutions = [m for m in module.pathway_d.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [m.kernel_size[0] for m in convolutions] == [1, 3, 1]
    assert convolutions[-1].out_channels == 1


def test_p_starts_near_the_stated_visibility():
    module = Distillation(64, DistillationConfig(width=16, initial_visibility=0.8))
    with torch.no_grad():
        module.pathway_d[1].weight.zero_()
        _, P = module(torch.randn(4, 64, 7, 7))
    torch.testing.assert_close(P, torch.full_like(P, 0.8))
