"""Shapes are checked while testing: every jaxtyping annotation of the network becomes a runtime check."""

import importlib.util
from pathlib import Path

import pytest

if importlib.util.find_spec("torch"):
    from jaxtyping import install_import_hook

    install_import_hook(["occlumark.model", "occlumark.export"], "beartype.beartype")

    import torch

    torch.set_num_threads(2)

SHARED = Path(__file__).parents[2] / "shared"


@pytest.fixture
def shared() -> Path:
    """The research data beside the repository; the test is skipped where it is missing."""
    if not SHARED.is_dir():
        pytest.skip(f"needs the research data in {SHARED.name}/ beside the repository")
    return SHARED
