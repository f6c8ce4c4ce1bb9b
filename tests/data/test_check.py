"""Counting: on small copies of our own, and on the real ones where they are at hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from occlumark.data import check as check_module
from occlumark.data.check import CHECKS, Check

Write = Callable[..., Any]


def counts(check: Check) -> dict[str, tuple[int, int | None]]:
    return {part.name: (part.found, part.official) for part in check.parts}


@pytest.fixture
def small_300w(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if 300W had few photos: lfpw's training part is 1, 2, 4 and 5, there never was a 3."""
    monkeypatch.setattr(check_module, "_W300", dict.fromkeys(check_module._W300, 1) | {"lfpw/trainset": 4})
    monkeypatch.setattr(check_module, "_LFPW_LAST", {"lfpw/trainset": 5, "lfpw/testset": 1})
    monkeypatch.setattr(check_module, "_LFPW_NEVER", {"lfpw/trainset": (3,), "lfpw/testset": ()})


def test_300w_names_what_is_missing_of_lfpw(tmp_path: Path, add_face: Write, small_300w: None) -> None:
    for name in ("afw/1_1", "lfpw/trainset/image_0001", "lfpw/trainset/image_0005", "ibug/image_003_1"):
        add_face(tmp_path / f"{name}.pts")
    add_face(tmp_path / "lfpw/testset/image_0001.pts")
    add_face(tmp_path / "lfpw/trainset/image_0004.pts", photo="")
    check = CHECKS["300w"](tmp_path)
    assert not check.complete
    assert [problem.name for problem in check.problems] == [
        "lfpw/trainset/image_0004.pts",  # there, without its photo
        "lfpw/trainset/image_0002.pts",
    ]
    assert counts(check) == {
        "afw": (1, 1),
        "lfpw/trainset": (2, 4),
        "helen/trainset": (0, 1),
        "lfpw/testset": (1, 1),
        "helen/testset": (0, 1),
        "ibug": (1, 1),
        "train": (3, 6),
        "Common": (1, 2),
        "Challenging": (1, 1),
    }
    notes = {part.name: part.note for part in check.parts if part.note}
    assert set(notes) == {"helen/trainset", "helen/testset"} and notes["helen/testset"].startswith("1 missing")


def test_300w_whole(tmp_path: Path, add_face: Write, small_300w: None) -> None:
    for name in ("afw/1_1", "helen/trainset/2_1", "helen/testset/3_1", "ibug/image_003_1", "lfpw/testset/image_0001"):
        add_face(tmp_path / f"{name}.pts")
    for number in (1, 2, 4, 5):
        add_face(tmp_path / f"lfpw/trainset/image_{number:04d}.pts")
    assert CHECKS["300w"](tmp_path).complete


def test_lfpws_numbers_add_up() -> None:
    for part, last in check_module._LFPW_LAST.items():
        never = check_module._LFPW_NEVER[part]
        assert last - len(set(never)) == check_module._W300[part] and max(never) < last
    totals = {name: sum(check_module._W300[part] for part in parts) for name, parts in check_module._W300_SETS.items()}
    assert totals == {"train": 3148, "Common": 554, "Challenging": 135}


def test_wflw(tmp_path: Path, write_wflw: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write_wflw(tmp_path, "train", 2)
    write_wflw(tmp_path, "test", 8)
    check = CHECKS["wflw"](tmp_path)
    assert not check.complete and not check.problems
    assert counts(check)["train"] == (2, 7500) and counts(check)["test"] == (8, 2500)
    assert counts(check)["occlusion"] == (1, 736)
    monkeypatch.setattr(check_module, "_WFLW", {"train": 2, "test": 8})
    monkeypatch.setattr(check_module, "_WFLW_TESTS", dict.fromkeys(check_module._WFLW_TESTS, 1))
    assert CHECKS["wflw"](tmp_path).complete
    (tmp_path / "WFLW_images/7--Some_Event/test 7.jpg").unlink()
    check = CHECKS["wflw"](tmp_path)
    assert [problem.name for problem in check.problems] == ["7--Some_Event/test 7.jpg"] and not check.complete


def test_cofw_and_cofw68(
    tmp_path: Path, write_cofw: Write, write_cofw68: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cofw68(tmp_path, 2)
    check = CHECKS["cofw68"](tmp_path)
    assert counts(check) == {"test": (2, 507), "with photo": (0, None)}
    assert "COFW_test_color.mat is not here" in check.parts[1].note
    write_cofw(tmp_path / "COFW_test_color.mat", "IsT", "phisT", "bboxesT", 2)
    assert counts(CHECKS["cofw68"](tmp_path))["with photo"] == (2, None)
    check = CHECKS["cofw"](tmp_path)
    assert counts(check) == {"train": (0, 1345), "test": (2, 507)} and not check.complete
    assert [problem.name for problem in check.problems] == ["COFW_train_color.mat"]
    write_cofw(tmp_path / "COFW_train_color.mat", "IsTr", "phisTr", "bboxesTr", 3)
    monkeypatch.setattr(check_module, "_COFW", {"train": 3, "test": 2})
    assert CHECKS["cofw"](tmp_path).complete


def test_aflw(tmp_path: Path, write_aflw: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write_aflw(tmp_path, order=[0, 1, 2, 3, 4])
    check = CHECKS["aflw"](tmp_path)
    assert counts(check) == {"train": (5, 20_000), "full": (0, 4386), "frontal": (0, None)} and not check.complete
    monkeypatch.setattr(check_module, "_AFLW", {"train": 5, "full": 0})
    assert CHECKS["aflw"](tmp_path).complete
    (tmp_path / "data/flickr/0/image00004.jpg").unlink()
    assert not CHECKS["aflw"](tmp_path).complete


def test_the_copies_at_hand(shared: Path) -> None:
    check = CHECKS["300w"](shared / "data/300w")
    missing = [f"lfpw/trainset/image_{n:04d}.pts" for n in (46, 339, 523, 566, 667, 668)]
    assert [problem.name for problem in check.problems] == missing
    assert counts(check)["train"] == (2129, 3148) and counts(check)["Common"] == (554, 554)
    (helen,) = [part for part in check.parts if part.note]
    assert helen.name == "helen/trainset" and helen.note.startswith("1,013 missing")
    assert counts(CHECKS["wflw"](shared / "data/wflw/train")) == {"train": (999, 7500)}


def test_the_copy_of_cofw68_at_hand(shared: Path) -> None:
    whole = CHECKS["cofw68"](shared / "data/cofw68")
    assert whole.complete and counts(whole)["test"] == (507, 507)
    assert np.mean([sample.occluded.mean() for sample in whole.samples]) == pytest.approx(0.2290, abs=5e-5)
