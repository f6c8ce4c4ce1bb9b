"""The weights in the package: whole, small enough, and as good as the README says."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from occlumark import Detector
from occlumark.evaluation.landmarks import evaluate
from occlumark.packaged import packaged_finder, packaged_names, packaged_weights

ROOT = Path(__file__).parents[1]
#: Where a network's NME stands: the page, and which number of its row.
STATED = {"occlumark": ("README.md", 0), "odn": ("README.md", 1), "occlumark-fast": ("docs/experiments/fast.md", 0)}


def stated_nme(test_set: str, model: str) -> float:
    """The documented NME from official boxes, as a fraction."""
    page, column = STATED[model]
    text = (ROOT / page).read_text(encoding="utf-8")
    row = re.search(rf"^\| {test_set} \(\d+\) \| ([\d.]+) \| ([\d.]+) \|", text, re.MULTILINE)
    assert row, f"{page} has no row for {test_set}"
    return float(row[1 + column]) / 100


@pytest.mark.parametrize(
    ("found", "most_bytes"),
    [*((packaged_weights(name), 50e6) for name in packaged_names()), (packaged_finder(), 2e6)],
    ids=[*packaged_names(), "finder"],
)
def test_shipped_weights_match_their_record_are_small_and_say_nothing_of_the_machine(found, most_bytes):
    path, sha256 = found
    content = path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == sha256
    assert len(content) < most_bytes
    assert b"site-packages" not in content and b"occlumark/model" not in content


@pytest.mark.slow
@pytest.mark.parametrize("model", packaged_names())
def test_shipped_weights_are_as_good_as_the_docs_say(shared, model):
    """100 Common photos, official boxes: not worse than the stated number by more than the sample's own interval."""
    sets = [shared / "data" / "300w" / part / "testset" for part in ("lfpw", "helen")]
    result = evaluate(sets, Detector(model), "official", "inter_ocular", limit=100)
    assert result.n == 100
    low, high = result.nme_interval
    assert 0 < high - low < 0.02
    assert result.nme <= stated_nme("Common", model) + (high - low) / 2


def test_shipped_weights_notice_a_broken_crop():
    """The check above can fail: the same face with its photo upside down is far off."""
    from occlumark.demo import SAMPLES
    from occlumark.photo import read_photo

    photo = read_photo(SAMPLES / "astronaut.jpg")
    (face,) = Detector("odn").detect(photo)
    width, height = photo.shape[1], photo.shape[0]
    x0, y0, x1, y1 = face.box
    (turned,) = Detector("odn").detect(
        np.ascontiguousarray(photo[::-1, ::-1]), [[width - x1, height - y1, width - x0, height - y0]]
    )
    back = [width, height] - turned.landmarks
    inter_ocular = np.linalg.norm(face.landmarks[36] - face.landmarks[45])
    assert np.linalg.norm(back - face.landmarks, axis=1).mean() > 0.2 * inter_ocular
