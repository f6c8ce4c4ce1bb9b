"""The moving average, by hand."""

import torch

from occlumark.train.state import moving_average


def test_the_average_starts_fast_and_copies_counters():
    update = moving_average(0.9)
    mean, counter = torch.tensor([1.0]), torch.tensor(3)
    update([mean, counter], [torch.tensor([2.0]), torch.tensor(7)], 0)
    assert mean.item() == torch.tensor(0.1 * 1 + 0.9 * 2).item()  # (1 + 0) / (10 + 0) = 0.1 of the old
    assert counter.item() == 7
    update([mean], [torch.tensor([0.0])], 10_000)
    torch.testing.assert_close(mean, torch.tensor([0.9 * 1.9]))
