"""MERL-RAV's flags: "visible" everywhere, "occluded" where the word means the same as ours."""

from pathlib import Path

import numpy as np
import pytest

from occlumark.data.merl_rav import read_merl_rav
from occlumark.errors import AnnotationError


def test_occluded_is_believed_at_nose_eyes_and_mouth_alone(tmp_path: Path, add_face):
    add_face(tmp_path / "a.pts")
    flags = np.ones(68, int)
    flags[[4, 20, 30, 40, 50]] = 0
    (tmp_path / "a.vis").write_text("\n".join(map(str, flags)))
    add_face(tmp_path / "b.pts")
    add_face(tmp_path / "c.pts")
    (tmp_path / "c.vis").write_text("1 0 2")
    (sample,), problems = read_merl_rav(tmp_path)
    assert sample.name == "merl_rav/a.jpg" and sample.inexact.all()
    assert np.flatnonzero(sample.occluded).tolist() == [30, 40, 50]
    assert np.flatnonzero(sample.unknown).tolist() == [4, 20]
    assert [problem.name for problem in problems] == ["b.jpg", "c.jpg"]
    assert "expected 68 flags" in problems[1].reason


def test_no_usable_face(tmp_path: Path, add_face):
    add_face(tmp_path / "a.pts")
    with pytest.raises(AnnotationError, match="no usable face"):
        read_merl_rav(tmp_path)
