"""The loop trains whatever is a task: here a straight line through points."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from occlumark.errors import CheckpointError, ConfigError
from occlumark.export.landmarks import export
from occlumark.train import loop
from occlumark.train.batches import training_batches
from occlumark.train.checkpoint import load_checkpoint
from occlumark.train.config import KINDS, OptimiserConfig, RunConfig
from occlumark.train.loop import train

SLOPE, OFFSET = 3.0, -1.0


@dataclass(frozen=True)
class LineConfig(RunConfig):
    name: str = "line"
    n_points: int = 64


class LineTask:
    """y = SLOPE x + OFFSET, from exact points."""

    kind = "line"
    markup = None

    def __init__(self, config: LineConfig, data_digest: str = "points") -> None:
        self.config, self.data_digest = config, data_digest
        self.training_size = config.n_points
        self.steps: list[int] = []

    def build(self, *, is_resumed: bool = False) -> nn.Linear:
        return nn.Linear(1, 1)

    def parameter_groups(self, network):
        return [{"params": [network.weight], "scale": 1.0}, {"params": [network.bias], "scale": 0.5}]

    def batches(self, epoch, context):
        x = torch.from_numpy(np.random.default_rng((self.config.seed, epoch)).uniform(-1, 1, (self.training_size, 1)))
        return training_batches(TensorDataset(x.float(), SLOPE * x.float() + OFFSET), self.config, epoch, context)

    def terms(self, network, model, batch, step, device) -> dict[str, Tensor]:
        x, y = (part.to(device) for part in batch)
        self.steps.append(step)
        return {"square": (model(x) - y).square().mean(), "nothing": 0 * network.weight.sum()}

    def epoch_scalars(self) -> dict[str, float]:
        return {"steps": float(len(self.steps))}

    def validate(self, network, device) -> dict[str, float]:
        assert not network.training
        assert not torch.is_grad_enabled()
        return {"validation/slope": network.weight.item(), "validation/offset": network.bias.item()}


def line(epochs: int = 3, **optimiser) -> LineConfig:
    optimiser = {"batch": 4, "learning_rate": 0.1, "precision": "fp32"} | optimiser
    return LineConfig(workers=0, optimiser=OptimiserConfig(epochs=epochs, **optimiser))


@pytest.fixture(autouse=True)
def kind(monkeypatch):
    monkeypatch.setitem(KINDS, "line", LineConfig)


def test_it_finds_the_line_and_logs_what_the_task_tells(tmp_path):
    task = LineTask(line(epochs=12))
    path = train(task, tmp_path, device="cpu")
    lines = [json.loads(entry) for entry in (tmp_path / "log.jsonl").read_text().splitlines()]
    told = {"objective/square", "objective/nothing", "steps", "validation/slope", "validation/offset"}
    assert lines[-1].keys() == {"epoch", "images_per_s", "learning_rate", "bf16"} | told
    assert (lines[-1]["validation/slope"], lines[-1]["validation/offset"]) == pytest.approx((SLOPE, OFFSET), abs=0.05)
    assert task.steps == list(range(16)) * 12
    checkpoint = load_checkpoint(path)
    assert (checkpoint.kind, checkpoint.config, checkpoint.data_digest) == ("line", task.config, "points")
    assert set(checkpoint.network) == {"weight", "bias"}


def test_its_checkpoint_says_the_kind_and_nothing_of_landmarks(tmp_path):
    head = train(LineTask(line(epochs=1)), tmp_path, device="cpu").read_bytes()
    entries = json.loads(head[8 : 8 + int.from_bytes(head[:8], "little")])["__metadata__"]
    header = json.loads(entries["occlumark"])
    assert header.keys() == {"format", "kind", "epoch", "data", "config", "log", "tensors"}
    assert header["kind"] == "line"
    assert header["config"]["n_points"] == 64


def test_resuming_ends_where_an_uninterrupted_run_ends(tmp_path, monkeypatch):
    straight = load_checkpoint(train(LineTask(line()), tmp_path / "straight", device="cpu"))
    whole = loop._train_epoch

    def interrupted(task, state, *rest):
        if state.epoch == 1:
            raise KeyboardInterrupt
        return whole(task, state, *rest)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, "_train_epoch", interrupted)
        train(LineTask(line()), tmp_path / "broken", device="cpu")
    resumed = load_checkpoint(train(LineTask(line()), tmp_path / "broken", resume=True, device="cpu"))
    for part in ("network", "averaged", "optimiser"):
        expected, got = getattr(straight, part), getattr(resumed, part)
        assert expected.keys() == got.keys()
        assert [name for name in expected if not torch.equal(expected[name], got[name])] == []


class OtherTask(LineTask):
    kind = "curve"


def test_a_run_goes_on_in_another_precision_validated_more_rarely(tmp_path):
    train(LineTask(line(epochs=1)), tmp_path, device="cpu")
    train(LineTask(line(epochs=3, precision="bf16", validate_every=5)), tmp_path, resume=True, device="cpu")
    lines = [json.loads(entry) for entry in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [entry["bf16"] for entry in lines] == [0, 1, 1]
    assert ["validation/slope" in entry for entry in lines] == [True, False, True]


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        (OtherTask(line()), "is a run of line, this is one of curve"),
        (LineTask(line(epochs=1)), "another configuration: optimiser.epochs is 3 there, 1 here; resume with the same"),
        (
            LineTask(line(learning_rate=0.5, batch=2, epochs=9)),
            r"optimiser.batch is 4 there, 2 here; optimiser.learning_rate is 0.1 there, 0.5 here; resume",
        ),
        (LineTask(line(), data_digest="others"), "other data"),
    ],
)
def test_resuming_another_kind_configuration_or_data_is_refused(task, expected, tmp_path):
    train(LineTask(line()), tmp_path, device="cpu")
    with pytest.raises(ConfigError, match=expected) as caught:
        train(task, tmp_path, resume=True, device="cpu")
    assert "\n" not in str(caught.value)


def test_a_finished_run_goes_on_as_a_longer_one_from_there_on(tmp_path, capsys):
    """The rates of its last epochs are those of a run of so many epochs; without a terminal each epoch is a line."""
    train(LineTask(line(epochs=2)), tmp_path / "short", device="cpu")
    assert [text.split(",")[0] for text in capsys.readouterr().err.splitlines()] == ["epoch 1/2", "epoch 2/2"]
    train(LineTask(line(epochs=4)), tmp_path / "short", resume=True, device="cpu")
    err = capsys.readouterr().err.splitlines()
    assert err[0] == "going on after epoch 2 of 4" and [text.split(",")[0] for text in err[1:]] == [
        "epoch 3/4",
        "epoch 4/4",
    ]
    assert all("objective " in text and text.endswith(" s") and "images/s" in text for text in err[1:])
    train(LineTask(line(epochs=4)), tmp_path / "long", device="cpu")
    logs = [(tmp_path / run / "log.jsonl").read_text().splitlines() for run in ("short", "long")]
    rates = [[json.loads(text)["learning_rate"] for text in log] for log in logs]
    assert len(rates[0]) == 4 and rates[0][2:] == rates[1][2:]
    longer = load_checkpoint(tmp_path / "short" / "checkpoint.safetensors")
    assert (longer.epoch, longer.config.optimiser.epochs) == (4, 4)


def test_weight_decay_is_adamws_and_a_group_may_have_its_own(tmp_path):
    """Against AdamW's rule with no gradient: each step takes rate * decay of the weight."""

    class Flat(LineTask):
        def parameter_groups(self, network):
            weight, bias = super().parameter_groups(network)
            return [weight, bias | {"weight_decay": 0.0}]

        def terms(self, network, model, batch, step, device):
            return {"nothing": 0 * (network.weight.sum() + network.bias.sum())}

    config = line(epochs=1, weight_decay=0.5, warm_up=0.0, batch=64)  # one step, at the whole rate
    task = Flat(config)
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        start = task.build()
    after = load_checkpoint(train(task, tmp_path, device="cpu")).network
    torch.testing.assert_close(after["weight"], start.weight.detach() * (1 - 0.1 * 0.5))
    assert torch.equal(after["bias"], start.bias.detach())


def test_divergence_in_any_term_is_told(tmp_path):
    class Diverging(LineTask):
        def terms(self, *arguments):
            terms = super().terms(*arguments)
            return terms | {"nothing": terms["nothing"] + (torch.inf if len(self.steps) == 3 else 0.0)}

    with pytest.raises(ConfigError, match=r"diverged in epoch 1, step 3: lower optimiser\.learning_rate"):
        train(Diverging(line()), tmp_path, device="cpu")


def test_export_refuses_it(tmp_path):
    path = train(LineTask(line(epochs=1)), tmp_path, device="cpu")
    with pytest.raises(CheckpointError, match="is a checkpoint of 'line', which has no ONNX form") as caught:
        export(path, tmp_path / "line.onnx")
    assert "\n" not in str(caught.value)
