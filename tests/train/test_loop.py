"""Training runs of a few steps on drawn faces."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from occlumark.config import from_mapping
from occlumark.data.pack import Pack
from occlumark.errors import CheckpointError, ConfigError, OcclumarkError
from occlumark.train.batches import training_batches
from occlumark.train.checkpoint import load_checkpoint
from occlumark.train.config import LandmarkConfig
from occlumark.train.distributed import DistributedContext
from occlumark.train.face_dataset import TrainingFaces
from occlumark.train.landmark_task import LandmarkTask
from occlumark.train.loop import train
from occlumark.train.presence_task import PresenceTask, hybrid_means

SMALL = {
    "workers": 0,
    "validation_share": 0.2,
    "crop": {"size": 64},
    "optimiser": {"epochs": 2, "batch": 4, "precision": "fp32"},
}


def small(**changes) -> LandmarkConfig:
    return from_mapping(LandmarkConfig, SMALL | changes)


def train_faces(config: LandmarkConfig, pack_path: Path, out: Path, **options) -> Path:
    return train(LandmarkTask(config, pack_path), out, **options)


def interrupted_after(epochs: int, monkeypatch) -> None:
    """Let the loop run so many epochs, then interrupt it as Ctrl-C would."""
    from occlumark.train import loop

    whole = loop._train_epoch
    done = []

    def stop_later(*args):
        if len(done) == epochs:
            raise KeyboardInterrupt
        done.append(1)
        return whole(*args)

    monkeypatch.setattr(loop, "_train_epoch", stop_later)


@pytest.fixture(scope="module")
def finished(pack_path, tmp_path_factory) -> Path:
    """The folder of a run that ran through."""
    out = tmp_path_factory.mktemp("finished") / "run"
    assert train_faces(small(), pack_path, out, device="cpu") == out / "checkpoint.safetensors"
    return out


def test_a_run_writes_checkpoint_log_and_scalars(finished):
    out, path = finished, finished / "checkpoint.safetensors"
    lines = [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [1, 2]
    wanted = {"validation/nme", "images_per_s", "M/effective_rank", "M/nuclear_norm", "objective/P_l1"}
    assert wanted <= lines[0].keys()
    assert list(out.glob("events.out.tfevents.*"))
    assert load_checkpoint(path).epoch == 2
    assert not list(out.glob(".occlumark-*"))


@pytest.mark.slow
def test_resuming_ends_where_an_uninterrupted_run_ends(pack_path, finished, tmp_path, monkeypatch):
    straight = load_checkpoint(finished / "checkpoint.safetensors")
    with monkeypatch.context() as patch:
        interrupted_after(1, patch)
        with pytest.raises(KeyboardInterrupt):
            train_faces(small(), pack_path, tmp_path / "broken", device="cpu")
    assert load_checkpoint(tmp_path / "broken" / "checkpoint.safetensors").epoch == 1
    resumed = load_checkpoint(train_faces(small(), pack_path, tmp_path / "broken", resume=True, device="cpu"))
    for part in ("network", "averaged", "optimiser"):
        expected, got = getattr(straight, part), getattr(resumed, part)
        assert expected.keys() == got.keys()
        different = [name for name in expected if not torch.equal(expected[name], got[name])]
        assert different == []
    logs = [(run / "log.jsonl").read_text().splitlines() for run in (finished, tmp_path / "broken")]
    data = [[json.loads(line)["objective/data"] for line in log] for log in logs]
    assert data[0] == data[1]


def test_resuming_needs_nothing_that_the_run_started_from(pack_path, finished, tmp_path):
    start = tmp_path / "start.safetensors"
    shutil.copy(finished / "checkpoint.safetensors", start)
    shorter = small(start=str(start))
    train_faces(shorter, pack_path, tmp_path / "run", device="cpu")
    start.unlink()
    longer = small(start=str(start), optimiser=SMALL["optimiser"] | {"epochs": 3})
    assert load_checkpoint(train_faces(longer, pack_path, tmp_path / "run", resume=True, device="cpu")).epoch == 3


def test_an_epoch_whose_log_line_was_not_written_is_in_the_log_after_resuming(pack_path, tmp_path, monkeypatch):
    """The process ends between the checkpoint and the log."""
    from occlumark.train import run_log

    with monkeypatch.context() as patch:
        ended = []

        def end(self):
            if self.lines:
                ended.append(len(self.lines))
                raise KeyboardInterrupt

        patch.setattr(run_log.RunLog, "write", end)
        with pytest.raises(KeyboardInterrupt):
            train_faces(small(), pack_path, tmp_path, device="cpu")
    assert ended == [1] and load_checkpoint(tmp_path / "checkpoint.safetensors").epoch == 1
    assert not (tmp_path / "log.jsonl").exists()
    train_faces(small(), pack_path, tmp_path, resume=True, device="cpu")
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [1, 2]
    assert load_checkpoint(tmp_path / "checkpoint.safetensors").log == tuple(lines)


def test_a_second_run_into_one_folder_is_refused(pack_path, tmp_path, monkeypatch):
    from occlumark.train import loop

    whole, refused = loop._train_epoch, []

    def with_another(*args):
        with pytest.raises(OcclumarkError, match=f"{tmp_path / 'run'} is in use by process {os.getpid()} on") as caught:
            monkeypatch.setattr(loop, "_train_epoch", whole)
            train_faces(small(), pack_path, tmp_path / "run", device="cpu")
        refused.append(caught)
        return whole(*args)

    monkeypatch.setattr(loop, "_train_epoch", with_another)
    train_faces(small(), pack_path, tmp_path / "run", device="cpu")
    assert len(refused) == 1
    assert {path.name for path in (tmp_path / "run").iterdir() if "tfevents" not in path.name} == {
        "checkpoint.safetensors",
        "log.jsonl",
    }


def test_a_folder_with_a_run_is_not_overwritten(pack_path, tmp_path):
    (tmp_path / "checkpoint.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match="--resume continues it"):
        train_faces(small(), pack_path, tmp_path, device="cpu")


def test_resuming_another_configuration_is_refused(pack_path, finished):
    with pytest.raises(ConfigError, match="another configuration"):
        train_faces(small(seed=1), pack_path, finished, resume=True, device="cpu")


def test_resuming_on_another_pack_is_refused(pack_path, finished, monkeypatch):
    monkeypatch.setattr("occlumark.train.landmark_task.faces_digest", lambda pack: "others")
    with pytest.raises(ConfigError, match="other data"):
        train_faces(small(), pack_path, finished, resume=True, device="cpu")


def test_a_missing_masks_folder_is_named_before_anything_is_written(pack_path, tmp_path):
    occluders = {"occlude": {"kinds": ["mask"], "masks": str(tmp_path / "nowhere")}}
    with pytest.raises(ConfigError, match="nowhere") as caught:
        train_faces(small(augment=occluders), pack_path, tmp_path / "run", device="cpu")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_a_missing_device_is_named(pack_path, tmp_path):
    for device in ("warp", "cuda:7"):
        with pytest.raises(ConfigError, match="no device") as caught:
            train_faces(small(), pack_path, tmp_path, device=device)
        assert "\n" not in str(caught.value)


def test_a_batch_that_the_processes_cannot_share_is_refused(pack_path, tmp_path, monkeypatch):
    from contextlib import contextmanager

    from occlumark.train import loop

    @contextmanager
    def three(device):
        yield DistributedContext(0, 3, torch.device("cpu"))

    monkeypatch.setattr(loop.DistributedContext, "join", three)
    with pytest.raises(ConfigError, match="no multiple of 3 processes"):
        train_faces(small(), pack_path, tmp_path)


def test_the_rate_warms_up_and_ends_at_zero():
    from occlumark.train.config import OptimiserConfig
    from occlumark.train.loop import _set_rate

    weights = [torch.zeros(1, requires_grad=True) for _ in range(2)]
    optimiser = torch.optim.AdamW([{"params": weights[:1], "scale": 1.0}, {"params": weights[1:], "scale": 0.1}])
    config = OptimiserConfig(epochs=10, learning_rate=0.2, warm_up=0.2)
    by_hand = {0: 0.0, 1: 0.1, 2: 0.2, 6: 0.1, 10: 0.0}
    for epoch, rate in by_hand.items():
        _set_rate(optimiser, config, epoch)
        assert [group["lr"] for group in optimiser.param_groups] == pytest.approx([rate, rate / 10], abs=1e-12)


def test_too_small_a_pack_is_refused(pack_path, tmp_path):
    with pytest.raises(ConfigError, match="fewer than a batch"):
        train_faces(small(optimiser={"batch": 64}), pack_path, tmp_path, device="cpu")
    assert not (tmp_path / "checkpoint.safetensors").exists()


def test_missing_imagenet_weights_are_named(pack_path, tmp_path):
    with pytest.raises(CheckpointError, match=r"nowhere\.safetensors"):
        train_faces(small(imagenet="nowhere.safetensors"), pack_path, tmp_path, device="cpu")


def test_two_processes_share_each_batch(pack_path):
    """Together the processes see what one process sees, each face once an epoch."""
    pack = Pack.open(pack_path)
    config = small()
    indices = np.arange(len(pack))

    def crops(rank: int, world: int) -> list[bytes]:
        faces = TrainingFaces(pack, indices, config.crop, config.augment, seed=0, epoch=3)
        batches = training_batches(faces, config, 3, DistributedContext(rank, world, torch.device("cpu")))
        return [crop.numpy().tobytes() for batch, *_ in batches for crop in batch]

    alone, together = crops(0, 1), crops(0, 2) + crops(1, 2)
    assert len(alone) == 24
    assert sorted(alone) == sorted(together)


@pytest.mark.slow
def test_two_processes_under_torchrun_keep_one_network(pack_path, tmp_path):
    script = tmp_path / "run.py"
    script.write_text(
        "import os, sys\nfrom pathlib import Path\n"
        "from occlumark.config import from_mapping\nfrom occlumark.train import loop\n"
        "from occlumark.train.config import LandmarkConfig\n"
        "from occlumark.train.landmark_task import LandmarkTask\n"
        "whole = loop._train_epoch\n"
        "def told(task, state, *rest):\n"
        "    scalars = whole(task, state, *rest)\n"
        "    total = sum(p.double().abs().sum().item() for p in state.network.parameters())\n"
        "    told = f'{total!r} {scalars[\"objective/data\"]!r}'\n"
        "    Path(sys.argv[2] + os.environ['RANK']).open('a').write(told + '\\n')\n"
        "    return scalars\n"
        "loop._train_epoch = told\n"
        f"task = LandmarkTask(from_mapping(LandmarkConfig, {SMALL!r}), Path(sys.argv[1]))\n"
        "loop.train(task, Path(sys.argv[2]), device='cpu')\n"
    )
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", str(script)]
    done = subprocess.run(
        [*command, str(pack_path), str(tmp_path / "two")],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    weights = [(tmp_path / f"two{rank}").read_text().splitlines() for rank in (0, 1)]
    assert len(set(weights[0])) == 2  # both epochs moved them
    assert weights[0] == weights[1]  # and the objective is the mean over both processes' shares
    assert load_checkpoint(tmp_path / "two" / "checkpoint.safetensors").epoch == 2
    assert len((tmp_path / "two" / "log.jsonl").read_text().splitlines()) == 2


def test_presence_is_not_trained_on_faces_alone(pack_path, tmp_path):
    """It would come to say that everything is one."""
    task = LandmarkTask(small(network={"refinement": True, "presence": True}), pack_path)
    trained = load_checkpoint(train(task, tmp_path / "run", device="cpu"))
    torch.manual_seed(task.config.seed)
    for name, value in task.build().state_dict().items():
        if name.startswith("presence"):
            torch.testing.assert_close(trained.network[name], value, rtol=0, atol=0)
    log = (tmp_path / "run" / "log.jsonl").read_text()
    assert "objective/refined" in log and "objective/presence" not in log
    assert not any(name.startswith("presence") for name in trained.optimiser)


def test_presence_alone_is_trained_and_all_else_stays(pack_path, tmp_path):
    told = {"network": {"refinement": True, "presence": True}}
    first = train_faces(small(**told), pack_path, tmp_path / "first", device="cpu")
    background = tmp_path / "background.npy"
    np.save(background, np.zeros((2, 96, 96, 3), np.uint8))
    config = small(
        **told,
        start=str(first),
        train_only="presence",
        presence_passes=2,
        augment={"no_face": {"share": 0.5, "background": str(background)}, "small": {"share": 0.5}},
        optimiser={**SMALL["optimiser"], "learning_rate": 0.01},
    )
    with pytest.raises(ConfigError, match="by one process"):  # torch would not share its gradients
        PresenceTask(config, pack_path).batches(0, DistributedContext(0, 2, torch.device("cpu")))
    second = train(PresenceTask(config, pack_path), tmp_path / "second", device="cpu")
    before, after = load_checkpoint(first), load_checkpoint(second)
    for name, value in before.averaged.items():
        if name.startswith("module.") and "presence" not in name:
            torch.testing.assert_close(after.averaged[name], value, rtol=0, atol=0)
            torch.testing.assert_close(after.network[name.removeprefix("module.")], value, rtol=0, atol=0)
    moved = [name for name in after.network if "presence" in name]
    assert moved and all(not torch.equal(after.network[name], before.averaged[f"module.{name}"]) for name in moved)
    log = [json.loads(line) for line in (tmp_path / "second" / "log.jsonl").read_text().splitlines()]
    assert [name for name in log[-1] if name.startswith("objective/")] == ["objective/presence"]
    assert {"validation/no_face_ap", "validation/faces_lost", "validation/no_face_kept"} <= log[-1].keys()
    assert "validation/nme" not in log[-1]
    # an interrupted run goes on as any other
    assert {name.rpartition("/")[0] for name in after.optimiser} == set(moved)


def test_the_head_is_trained_on_what_the_network_makes_of_augmented_crops(pack_path, tmp_path):
    background = tmp_path / "background.npy"
    np.save(background, np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), np.uint8))
    told = {"network": {"refinement": True, "presence": True}}
    first = train_faces(small(**told), pack_path, tmp_path / "first", device="cpu")
    augment = {"no_face": {"share": 0.5, "background": str(background)}}
    whole = SMALL["optimiser"] | {"batch": 3}  # no crop is left over
    config = small(**told, start=str(first), train_only="presence", presence_passes=2, augment=augment, optimiser=whole)
    task = PresenceTask(config, pack_path)
    network = task.build().eval()
    torch.nn.init.normal_(network.presence.layers[2].weight)
    with DistributedContext.join("cpu") as context, torch.no_grad():
        batches = list(task.batches(0, context))
        assert sum(len(batch.presence) for batch in batches) == task.training_size == 2 * len(task.training)
        faces = [TrainingFaces(task.pack, task.training, config.crop, config.augment, 0, i)[0] for i in range(2)]
        crops = torch.stack([face.crops for face in faces])
        answers = torch.cat([network.presence.of_means(batch.features) for batch in batches])
        for answer, presence in zip(network(crops).presence, [face.presence for face in faces], strict=True):
            distance, index = (answers - answer).abs().min(0)
            assert distance < 1e-4 and torch.cat([batch.presence for batch in batches])[index] == presence
        assert network.refinement is not None and hybrid_means(network, crops).shape == (2, 768)
    with pytest.raises(ConfigError, match=r"augment\.no_face\.share"):
        PresenceTask(small(**told, start=str(first), train_only="presence"), pack_path)


@pytest.mark.parametrize("lacks", [{"start": ""}, {"network": {"refinement": True}}])
def test_presence_alone_needs_a_network_that_has_it(lacks):
    whole = {"start": "occlumark", "train_only": "presence", "network": {"refinement": True, "presence": True}}
    with pytest.raises(ConfigError, match="starts from another run"):
        small(**(whole | lacks))
