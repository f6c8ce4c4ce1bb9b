import torch

from occlumark.model.low_rank import LowRank, LowRankConfig


def trained_like(shared_matrix: bool = True) -> LowRank:
    module = LowRank(24, 7, 6, LowRankConfig(channels=4), shared_matrix)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return module.eval()


def test_prediction_is_w_fc_transposed_m_transposed_x():
    module = trained_like()
    hybrid = torch.randn(3, 24, 7, 7)
    X = module.reduce(hybrid).flatten(1)
    assert X.shape == (3, 4 * 4 * 4)
    X = X / 64**0.5
    by_equation = torch.stack([module.W_fc.T @ module.M.T @ x for x in X]) + module.bias
    torch.testing.assert_close(module(hybrid), by_equation, atol=1e-5, rtol=1e-4)


def test_folding_keeps_the_function_and_drops_m():
    module = trained_like()
    hybrid = torch.randn(3, 24, 7, 7)
    before = module(hybrid)
    module.fold()
    torch.testing.assert_close(module(hybrid), before, atol=1e-5, rtol=1e-5)
    assert "M" not in module.state_dict()
    module.fold()  # nothing left to fold
    torch.testing.assert_close(module(hybrid), before, atol=1e-5, rtol=1e-5)


def test_m_starts_as_the_identity():
    module = LowRank(24, 7, 6, LowRankConfig(channels=4), shared_matrix=True)
    torch.testing.assert_close(module.M.detach(), torch.eye(64))


def test_without_down_sampling_every_place_of_the_grid_is_regressed_from():
    module = LowRank(24, 3, 6, LowRankConfig(channels=4, stride=1), shared_matrix=False)
    assert module.W_fc.shape == (4 * 3 * 3, 6)
    assert module(torch.randn(2, 24, 3, 3)).shape == (2, 6)


def test_coordinates_stay_in_fp32_under_autocast():
    module = trained_like()
    with torch.autocast("cpu", torch.bfloat16):
        assert module(torch.randn(1, 24, 7, 7)).dtype == torch.float32
