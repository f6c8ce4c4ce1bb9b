import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from occlumark.cli.main import build_parser, main
from occlumark.data.pack import Pack
from occlumark.data.wflw_to_68 import weights
from occlumark.errors import AnnotationError


def occlumark(*words: str | Path) -> int:
    args = build_parser().parse_args([str(word) for word in words])
    return int(args.run(args))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a", "b"):
        points = np.random.default_rng(0).uniform(20, 80, (68, 2))
        np.savetxt(folder / f"{name}.pts", points)
        cv2.imwrite(str(folder / f"{name}.jpg"), np.zeros((100, 100, 3), np.uint8))
    return folder


def test_packs_and_says_how_many(photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert occlumark("pack", photos, "--out", tmp_path / "x.pack", "--size", "64", "--extent", "1.5") == 0
    pack = Pack.open(tmp_path / "x.pack")
    assert len(pack) == 2 and (pack.config.size, pack.config.extent) == (64, 1.5)
    assert capsys.readouterr().out == f"packed 2 faces of 64 x 64 pixels into {tmp_path / 'x.pack'}\n"


def test_the_unusable_is_listed_and_the_exit_code_is_1(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photos / "b.jpg").write_bytes(b"")
    (photos / "c.pts").write_text("1 2\n" * 67)
    (photos / "c.jpg").write_bytes(b"")
    assert occlumark("pack", photos, "--out", tmp_path / "x.pack", "--size", "64") == 1
    assert len(Pack.open(tmp_path / "x.pack")) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("occlumark: left out")]
    assert len(lines) == 2
    assert "c.pts" in lines[0] and "67" in lines[0] and "b.jpg" in lines[1] and "empty" in lines[1]


def test_labels_of_visibility_are_counted_and_some_must_match(
    photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heads = ["photo", "screen", "kind", "labelled", *(f"v{i}" for i in range(68))]
    labels = tmp_path / "labels.csv"

    def pack_with(photo: str) -> int:
        labels.write_text("\n".join([",".join(heads), ",".join([photo, "clean", "", "0", *[""] * 68])]) + "\n")
        return occlumark("pack", photos, "--visibility", labels, "--out", tmp_path / "x.pack", "--size", "64")

    assert pack_with("photos/a.jpg") == 0
    assert f"1 of 2 faces have a label in {labels}\n" in capsys.readouterr().out
    with pytest.raises(AnnotationError, match="has no label of any of the 2 faces: its paths name others"):
        pack_with("Photos/a.jpg")


def test_nothing_usable_writes_nothing(photos: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(AnnotationError, match=r"no \.pts file below"):
        occlumark("pack", empty, "--out", tmp_path / "x.pack")
    for name in ("a", "b"):
        (photos / f"{name}.pts").write_text("nan nan\n" * 68)
    with pytest.raises(AnnotationError, match=r"2 unusable; the first: .*not finite"):
        occlumark("pack", photos, "--out", tmp_path / "x.pack")
    assert not list(tmp_path.glob("x*"))


@pytest.mark.parametrize("words", [("--size", "100"), ("--size", "9" * 20), ("--extent", "nan")])
def test_a_size_out_of_range(
    photos: Path, tmp_path: Path, words: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        occlumark("pack", photos, "--out", tmp_path / "x.pack", *words)
    assert "argument --size or --extent: " in capsys.readouterr().err
    assert not (tmp_path / "x.pack").exists()


def test_help_carries_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        occlumark("pack", "--help")
    assert "occlumark pack 300w/afw" in capsys.readouterr().out


def test_faces_of_wflw_are_packed_as_68_points(photos: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    points = np.random.default_rng(1).uniform(20, 80, (98, 2))
    np.savetxt(other / "c.pts", points)
    cv2.imwrite(str(other / "c.jpg"), np.zeros((100, 100, 3), np.uint8))
    assert occlumark("pack", photos, "--wflw", other, "--out", tmp_path / "x.pack", "--size", "64") == 0
    pack = Pack.open(tmp_path / "x.pack")
    assert pack.names == ["a.jpg", "b.jpg", "wflw/c.jpg"]
    # the chin of both markups is one point's neighbourhood, and a crop keeps what lies beside what
    chin = pack.landmarks[2, 8] - pack.landmarks[2].mean(0)
    mean = weights() @ (points - 0.5)
    np.testing.assert_allclose(chin / np.ptp(pack.landmarks[2]), (mean[8] - mean.mean(0)) / np.ptp(mean), atol=0.02)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--dataset", "cofw", "--teacher", "occlumark"], "--teacher is of 68 points; leave out --dataset cofw"),
        (["--dataset", "wflw", "--visibility", "x.csv"], "--visibility is of 68 points; leave out --dataset wflw"),
        (["--dataset", "aflw", "--merl-rav", "x"], "--merl-rav is of 68 points; leave out --dataset aflw"),
        (["--unlabelled", "x"], "they go with --teacher"),
        (["--validation-share", "0.1"], "they go with --teacher"),
        (["--teacher", "occlumark", "--apart-from", "x"], "--apart-from says what --unlabelled leaves out"),
        (["--teacher", "odn", "--unlabelled", "x"], "--teacher odn cannot label --unlabelled faces"),
        (["--teacher", "occlumark", "--validation-share", "1.5"], "expected a number from 0 on and below 1, not 1.5"),
    ],
)
def test_options_that_would_have_no_effect_are_wrong_usage(
    options: list[str], said: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["pack", str(photos), "--out", str(tmp_path / "x.pack"), *options])
    assert said in capsys.readouterr().err and not (tmp_path / "x.pack").exists()


def test_photos_to_stay_apart_from_that_cannot_be_used_are_told(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Detector:
        has_expected_error = True

        def __init__(self, **options: object) -> None:
            pass

    unlabelled = tmp_path / "unlabelled"
    unlabelled.mkdir()
    (unlabelled / "boxes.csv").write_text("photo,class,x0,y0,x1,y1\nbroken.jpg,face,1,2,90,90\n")
    (unlabelled / "broken.jpg").write_bytes(b"no photo")
    monkeypatch.setattr("occlumark.detect.Detector", Detector)
    monkeypatch.setattr("occlumark.data.teacher.teach", lambda samples, *given: list(samples))
    apart = Path(shutil.copytree(photos, tmp_path / "apart"))
    (apart / "c.pts").write_text("1 2\n" * 67)
    (apart / "c.jpg").write_bytes(b"")
    options = ["--teacher", "x", "--unlabelled", unlabelled, "--apart-from", apart]
    assert occlumark("pack", photos, "--out", tmp_path / "x.pack", "--size", "64", *options) == 1
    broken, line = [line for line in capsys.readouterr().err.splitlines() if line.startswith("occlumark: left out")]
    assert broken.startswith("occlumark: left out unlabelled/broken.jpg#1: ")
    assert "c.pts" in line
