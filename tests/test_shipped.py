"""The weights in the package: whole, small enough, and as good as the README says."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest

from occlumark import Detector
from occlumark.evaluation.landmarks import evaluate
from occlumark.packaged import packaged_finder, packaged_weights

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def readme_nme(test_set: str, model: str) -> float:
    """The README's NME from official boxes, as a fraction."""
    row = re.search(rf"^\| {test_set} \(\d+\) \| ([\d.]+) \| ([\d.]+) \|", README, re.MULTILINE)
    assert row, f"the README has no row for {test_set}"
    return float(row[1 + ("occlumark", "odn").index(model)]) / 100


@pytest.mark.parametrize(
    ("found", "most_bytes"),
    [(packaged_weights("odn"), 50e6), (packaged_weights("occlumark"), 50e6), (packaged_finder(), 2e6)],
    ids=["odn", "occlumark", "finder"],
)
def test_shipped_weights_match_their_record_are_small_and_say_nothing_of_the_machine(found, most_bytes):
    path, sha256 = found
    content = path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == sha256
    assert len(content) < most_bytes
    assert b"site-packages" not in content and b"occlumark/model" not in content


@pytest.mark.slow
@pytest.mark.parametrize("model", ["odn", "occlumark"])
def test_shipped_weights_are_as_good_as_the_readme_says(shared, model):
    """100 Common photos, official boxes: not worse than the README's number by more than the sample's own interval."""
    sets = [shared / "data" / "300w" / part / "testset" for part in ("lfpw", "helen")]
    result = evaluate(sets, Detector(model), "official", "inter_ocular", limit=100)
    assert result.n == 100
    low, high = result.nme_interval
    assert 0 < high - low < 0.02
    assert result.nme <= readme_nme("Common", model) + (high - low) / 2


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
