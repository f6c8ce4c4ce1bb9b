"""A pack of drawn faces, small enough to train on within a test."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from occlumark.data.pack import PackConfig, write_pack
from occlumark.data.sample import Sample


@pytest.fixture(scope="session")
def pack_path(tmp_path_factory) -> Path:
    """24 faces: bright dots at their landmarks on a grey ground."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("faces")
    rng = np.random.default_rng(0)
    shape = rng.uniform(30, 90, (68, 2))
    samples = []
    for i in range(24):
        landmarks = shape + rng.normal(0, 3, (1, 2)) + rng.normal(0, 1, (68, 2))
        photo = np.full((120, 120, 3), 60 + i, np.uint8)
        columns, rows = np.floor(landmarks).astype(int).clip(0, 119).T
        photo[rows, columns] = 255
        path = folder / f"face{i}.png"
        Image.fromarray(photo).save(path)
        samples.append(Sample(name=path.name, photo=path, landmarks=landmarks, official_box=None))
    path = folder / "faces.pack"
    write_pack(samples, path, PackConfig(size=96, extent=1.9))
    return path
