"""The whole network: shapes, gradients, the switches of Table 4, ImageNet's weights."""

import numpy as np
import pytest
import torch

from occlumark.model.backbone import BackboneConfig
from occlumark.model.face_finder import FinderNetwork, FinderNetworkConfig
from occlumark.model.low_rank import LowRank
from occlumark.model.network import NetworkConfig, OcclusionAdaptiveNetwork
from occlumark.model.objective import ObjectiveConfig, objective

ABLATIONS = {
    "BRNet": (False, False, False),
    "GM+DM": (True, True, False),
    "DM+LM": (False, True, True),
    "GM+LM": (True, False, True),
    "ODN": (True, True, True),
}


def crops(n: int, size: int = 64, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, size, size, 3), dtype=torch.uint8, generator=generator)


@pytest.mark.parametrize("name", ABLATIONS)
def test_each_switch_removes_what_it_names_and_nothing_is_left_untrained(name):
    geometry_aware, distillation, low_rank = ABLATIONS[name]
    network = OcclusionAdaptiveNetwork(NetworkConfig(geometry_aware, distillation, low_rank), 64)
    prediction = network(crops(2))
    prediction.landmarks.square().mean().backward()
    names = {parameter for parameter, _ in network.named_parameters()}
    assert any(n.startswith("geometry.") for n in names) == geometry_aware
    assert any(n.startswith("last_unit.pathway_d.") for n in names) == distillation
    assert ("head.M" in names) == low_rank == (network.M is not None)
    assert (prediction.P is not None) == distillation
    idle = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert idle == []


def test_plain_network_is_resnet_18():
    """11,176,512 weights of torchvision's ResNet-18 without its classifier, and a 136-way regression."""
    network = OcclusionAdaptiveNetwork(NetworkConfig(False, False, False))
    assert sum(p.numel() for p in network.parameters()) == 11_176_512 + 512 * 136 + 136


@pytest.mark.parametrize("switches", [{"squeeze_excitation": True}, {"flattened_head": True}])
def test_controls_of_the_baseline_train_every_weight(switches):
    config = NetworkConfig(False, False, False, **switches)
    network = OcclusionAdaptiveNetwork(config, 64)
    network(crops(2)).landmarks.square().mean().backward()
    idle = [n for n, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert idle == []


def test_squeeze_excitation_adds_its_two_layers_to_each_of_resnet_18s_units():
    """A unit of C channels gets two layers of C / 16 hidden units; ResNet-18 has two units each of 64 to 512."""
    more = sum(2 * (2 * c * c // 16 + c // 16 + c) for c in (64, 128, 256, 512))
    sizes = [
        sum(p.numel() for p in OcclusionAdaptiveNetwork(NetworkConfig(False, False, False, **switch)).parameters())
        for switch in ({}, {"squeeze_excitation": True})
    ]
    assert sizes[1] - sizes[0] == more


def test_a_flattened_head_keeps_the_places_that_the_average_forgets():
    """Features that swap two places change the one answer and not the other."""
    torch.manual_seed(0)
    Z = torch.rand(1, 512, 4, 4)
    swapped = Z.clone()
    swapped[..., 0, 0], swapped[..., 3, 3] = Z[..., 3, 3], Z[..., 0, 0]
    moved = []
    for flattened in (True, False):
        network = OcclusionAdaptiveNetwork(NetworkConfig(False, False, False, flattened_head=flattened), 128).eval()
        network.last_unit.pathway_c = torch.nn.Identity()
        assert network.M is None and isinstance(network.head, LowRank) == flattened
        answers = []
        for features in (Z, swapped):
            network.backbone.forward = lambda _, features=features: (None, None, None, features)
            with torch.no_grad():
                answers.append(network(crops(1, 128)).landmarks)
        moved.append(float((answers[0] - answers[1]).abs().max()))
    assert moved[0] > 0.01 and moved[1] < 1e-4


@pytest.mark.parametrize("n", [19, 29, 98])
@pytest.mark.parametrize("switches", [{}, {"refinement": True}, {"geometry_aware": False}])
def test_any_number_of_landmarks(n, switches):
    mean_face = np.random.default_rng(0).uniform(0, 64, (n, 2))
    network = OcclusionAdaptiveNetwork(NetworkConfig(**switches), 64, mean_face, n)
    with torch.no_grad():
        network.W_fc.zero_()
        prediction = network.eval()(crops(2))
    assert network.n_landmarks == n and prediction.landmarks.shape == (2, n, 2)
    np.testing.assert_allclose(prediction.landmarks[1].numpy(), mean_face, atol=1e-4)
    if prediction.refined is not None:
        assert prediction.refined.occlusion_logit.shape == (2, n)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"flattened_head": True}, "flattened_head is BRNet's"),
        (
            {"squeeze_excitation": True, "backbone": BackboneConfig(channels=(24, 48, 96, 192))},
            "squeeze_excitation needs channels that are multiples of 16, not 24, 48, 96, 192",
        ),
        ({"flattened_head": True, "geometry_aware": False, "distillation": False}, "flattened_head is BRNet's"),
        ({"geometry_aware": False, "distillation": False, "low_rank": False, "refinement": True}, "needs one of the"),
    ],
)
def test_switches_that_exclude_one_another(config, message):
    with pytest.raises(ValueError, match=message):
        NetworkConfig(**config)


def test_shapes_at_the_papers_size():
    network = OcclusionAdaptiveNetwork(NetworkConfig()).eval()
    with torch.no_grad():
        prediction = network(crops(1, 224))
        *_, Z = network.backbone(torch.randn(1, 3, 224, 224))
    assert Z.shape == (1, 512, 7, 7)
    assert prediction.landmarks.shape == (1, 68, 2)
    assert prediction.P.shape == (1, 1, 7, 7)


def test_untrained_network_predicts_near_the_mean_face():
    mean_face = np.random.default_rng(0).uniform(0, 64, (68, 2))
    network = OcclusionAdaptiveNetwork(NetworkConfig(), 64, mean_face)
    with torch.no_grad():
        network.W_fc.zero_()
        landmarks = network(crops(2)).landmarks
    np.testing.assert_allclose(landmarks[1].numpy(), mean_face, atol=1e-4)


@pytest.mark.slow
def test_one_batch_overfits():
    torch.manual_seed(0)
    network = OcclusionAdaptiveNetwork(NetworkConfig(), 64)
    truth = torch.rand(4, 68, 2) * 64
    optimiser = torch.optim.AdamW(network.parameters(), 2e-3)
    config = ObjectiveConfig(data="l1", alpha=0.0)
    for _ in range(40):
        prediction = network(crops(4))
        terms = objective(config, network, prediction.landmarks, prediction.P, truth, None)
        optimiser.zero_grad()
        torch.stack(list(terms.values())).sum().backward()
        optimiser.step()
    assert (network(crops(4)).landmarks - truth).abs().mean() < 4  # a random guess is off by 16 px


def imagenet_like() -> dict[str, torch.Tensor]:
    """ResNet-18's names with values that tell tensors apart."""
    plain = OcclusionAdaptiveNetwork(NetworkConfig(False, False, False), 64)
    weights = {name.removeprefix("backbone."): v for name, v in plain.state_dict().items() if "backbone" in name}
    last = "last_unit.pathway_c"
    weights |= {name.replace(last, "layer4.1"): v for name, v in plain.state_dict().items() if last in name}
    return {n: torch.randn_like(v) if v.is_floating_point() else v for n, v in weights.items() if "num_b" not in n}


@pytest.mark.parametrize("excited", [True, False])
@pytest.mark.parametrize("distillation", [True, False])
def test_imagenet_weights_reach_the_backbone_and_pathway_c(distillation, excited):
    weights = imagenet_like()
    network = OcclusionAdaptiveNetwork(NetworkConfig(distillation=distillation, squeeze_excitation=excited), 64)
    network.load_imagenet(weights)
    assert torch.equal(network.backbone.conv1.weight, weights["conv1.weight"])
    assert torch.equal(network.backbone.layer4[0].bn2.running_var, weights["layer4.0.bn2.running_var"])
    assert torch.equal(network.last_unit.pathway_c.conv2.weight, weights["layer4.1.conv2.weight"])


def test_a_missing_imagenet_name_is_named():
    weights = imagenet_like()
    del weights["layer3.1.bn1.bias"]
    with pytest.raises(KeyError, match=r"layer3\.1\.bn1\.bias"):
        OcclusionAdaptiveNetwork(NetworkConfig(), 64).load_imagenet(weights)


def test_published_weights_load_by_name(shared):
    from safetensors.torch import load_file

    weights = load_file(shared / "weights" / "resnet18_imagenet_fp16.safetensors")
    OcclusionAdaptiveNetwork(NetworkConfig()).load_imagenet(weights)


@pytest.mark.parametrize("refined", [False, True])
def test_networks_are_built_without_memory(refined):
    """Loading a checkpoint builds them so first, and compares their weights' shapes with the file's."""
    with torch.device("meta"):
        network = OcclusionAdaptiveNetwork(NetworkConfig(refinement=refined, presence=refined), 224)
        finder = FinderNetwork(FinderNetworkConfig())
    assert {weight.device.type for net in (network, finder) for weight in net.parameters()} == {"meta"}
