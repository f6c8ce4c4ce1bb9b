"""The ablation's committed configurations: what each row changes, and what all share."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="needs the train extra")

from occlumark.config import load
from occlumark.train.config import LandmarkConfig

CONFIGS = Path(__file__).parents[2] / "configs" / "ablation"
BRNET = {"network.geometry_aware": False, "network.distillation": False, "network.low_rank": False}
#: What each row changes of the paper's network and objective, beside its name.
CHANGES: dict[str, dict[str, Any]] = {
    "brnet": BRNET,
    "gm-dm": {"network.low_rank": False},
    "dm-lm": {"network.geometry_aware": False},
    "gm-lm": {"network.distillation": False},
    "no-l1": {"objective.eta": 0.0},
    "odn": {},
    "brnet-erase": BRNET | {"augment.occlude.kinds": ("erase",), "augment.occlude.probability": 0.5},
    "brnet-se": BRNET | {"network.squeeze_excitation": True},
    "brnet-flat": BRNET | {"network.flattened_head": True},
    "product-other-reading": {"network.gm.product": "transposed"},
    "beta-0": {"objective.beta": 0.0},
    "beta-1e-5": {"objective.beta": 1e-5},
    "beta-1e-4": {"objective.beta": 1e-4},
    "beta-1e-3": {"objective.beta": 1e-3},
}
LARGE = {"crop.size": 224, "optimiser.epochs": 25}
CHANGES |= {f"{row}-224": LARGE | CHANGES[row] for row in ("brnet", "brnet-flat", "odn")}


def flat(value: Any, at: str = "") -> dict[str, Any]:
    if not hasattr(value, "__dataclass_fields__"):
        return {at: value}
    return {
        key: v for name in value.__dataclass_fields__ for key, v in flat(getattr(value, name), f"{at}.{name}").items()
    }


def config_of(row: str) -> dict[str, Any]:
    return {key[1:]: value for key, value in flat(load(LandmarkConfig, CONFIGS / f"{row}.toml")).items()}


def test_every_row_has_a_file() -> None:
    assert {path.stem for path in CONFIGS.glob("*.toml")} == set(CHANGES)


@pytest.mark.parametrize("row", CHANGES)
def test_a_row_changes_what_it_names_and_nothing_else(row: str) -> None:
    common, config = config_of("odn"), config_of(row)
    assert config.pop("name") == f"ablation-{row}" and common.pop("name")
    assert {key: value for key, value in config.items() if value != common[key]} == CHANGES[row]


def test_the_common_part_is_the_papers_objective_under_one_short_schedule() -> None:
    config = load(LandmarkConfig, CONFIGS / "odn.toml")
    default = LandmarkConfig()
    assert (config.network, config.objective) == (default.network, default.objective)
    assert (config.crop.size, config.optimiser.epochs, config.optimiser.batch) == (128, 12, 32)
    assert config.augment.geometry == default.augment.geometry and config.augment.box == default.augment.box
    parts = config.augment
    off = (parts.occlude.probability, parts.colour.probability, parts.colour.grey)
    assert {*off, parts.blur.probability, parts.blur.noise, parts.blur.jpeg} == {0}


def test_the_papers_own_recipe_is_the_ablations_odn_at_full_size_and_length() -> None:
    paper = {key[1:]: value for key, value in flat(load(LandmarkConfig, CONFIGS.parent / "odn-paper.toml")).items()}
    odn = config_of("odn")
    changed = {key: value for key, value in paper.items() if value != odn[key]}
    assert changed == {"name": "odn-paper", "crop.size": 224, "optimiser.epochs": 50}
    assert (paper["objective.data"], paper["network.refinement"]) == ("l2", False)
