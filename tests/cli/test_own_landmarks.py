"""Landmarks of one's own from the command line: pack, train, export, evaluate, detect, draw."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from occlumark.cli.main import main
from occlumark.detect import Detector
from occlumark.face import Face
from occlumark.markup import read_markup

MARKUP = """
name = "mine"
landmarks = ["eye_r", "eye_l", "nose", "chin"]
mirror = [["eye_r", "eye_l"]]
contours = [["eye_r", "nose", "eye_l"]]
outer_eye_corners = ["eye_r", "eye_l"]
"""
SMALL = [
    *("crop.size=64", "optimiser.epochs=1", "optimiser.batch=4", "workers=0", "validation_share=0.3"),
    *('augment.occlude.kinds=["patch","erase"]', "optimiser.precision=fp32", "network.lm.channels=8"),
]


@pytest.fixture
def photos(tmp_path) -> Path:
    """Twelve photos of noise with four points each, as COCO key points; eight are for training."""
    rng, images, annotations = np.random.default_rng(0), [], []
    for i in range(12):
        Image.fromarray(rng.integers(0, 255, (96, 96, 3), np.uint8)).save(tmp_path / f"{i:02}.png")
        images.append({"id": i, "file_name": f"{i:02}.png"})
        points = np.array([[30, 40], [60, 40], [45, 55], [45, 75]]) + rng.normal(0, 1, (4, 2))
        numbers = [value for x, y in points.tolist() for value in (x, y, 2)]
        annotations.append({"id": i, "image_id": i, "keypoints": numbers, "bbox": [20, 25, 50, 60]})
    (tmp_path / "faces.json").write_text(json.dumps({"images": images, "annotations": annotations}))
    (tmp_path / "mine.toml").write_text(MARKUP)
    (tmp_path / "train.txt").write_text("".join(f"{i:02}.png\n" for i in range(8)))
    (tmp_path / "test.txt").write_text("".join(f"{i:02}.png\n" for i in range(8, 12)))
    return tmp_path


@pytest.mark.slow
def test_a_markup_travels_from_the_pack_to_the_drawing(photos, capsys):
    pytest.importorskip("torch", reason="needs the train extra")
    pack, onnx, markup = photos / "mine.pack", photos / "mine.onnx", read_markup(photos / "mine.toml")
    own = [str(photos / "faces.json"), "--boxes", "annotated", "--size", "96", "--out", str(pack)]
    assert main(["pack", *own, "--markup", str(photos / "mine.toml"), "--list", str(photos / "train.txt")]) == 0
    assert "packed 8 faces with 4 points" in capsys.readouterr().out
    settings = [argument for value in SMALL for argument in ("--set", value)]
    assert main(["train", "--pack", str(pack), "--out", str(photos / "run"), "--device", "cpu", *settings]) == 0
    assert "epoch 1/1, objective" in capsys.readouterr().err
    assert main(["export", str(photos / "run/checkpoint.safetensors"), "--pack", str(pack), "--out", str(onnx)]) == 0
    capsys.readouterr()
    measured = [str(photos / "faces.json"), "--weights", str(onnx), "--box", "official", "--json"]
    assert main(["evaluate", *measured, "--list", str(photos / "test.txt")]) == 0
    result = json.loads(capsys.readouterr().out)
    assert (result["n"], result["normaliser"], result["box"]) == (4, "inter_ocular", "official")
    assert main(["evaluate", *measured, "--list", str(photos / "test.txt"), "--list", str(photos / "train.txt")]) == 0
    sets = json.loads(capsys.readouterr().out)["sets"]
    assert {Path(name).name: part["n"] for name, part in sets.items()} == {"test.txt": 4, "train.txt": 8}
    assert sets[str(photos / "test.txt")]["nme"] == result["nme"]
    shown = ["--weights", str(onnx), "--box", "20", "25", "70", "85"]
    assert main(["detect", str(photos / "09.png"), *shown, "--json", "--out", str(photos / "drawn.png")]) == 0
    (values,) = json.loads(capsys.readouterr().out)["faces"]
    assert values["markup"] == "mine" and list(values["hidden_regions"]) == ["face"]
    assert Face.from_json(values, markup).markup == markup
    assert np.any(np.array(Image.open(photos / "drawn.png")) != np.array(Image.open(photos / "09.png")))
    detector = Detector(weights=onnx)
    assert detector.markup == markup
    assert main(["detect", str(photos / "09.png"), *shown, "--format", "coco"]) == 0
    assert json.loads(capsys.readouterr().out)["categories"][0]["keypoints"] == ["eye_r", "eye_l", "nose", "chin"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pack", "faces.json", "--markup", "none.toml", "--out", "x.pack"], "cannot read markup none.toml: No such"),
        (["pack", "faces.json", "--markup", "five", "--out", "x.pack"], "expected 5 key points, 15 numbers, came 12"),
        (["pack", "faces.json", "--out", "x.pack"], "expected 68 key points, 204 numbers, came 12"),
        (["pack", "none.csv", "--markup", "mine.toml", "--out", "x.pack"], "cannot read none.csv: No such file"),
        (
            ["pack", "faces.json", "--markup", "mine.toml", "--list", "none.txt", "--out", "x.pack"],
            "cannot read list none.txt: No such file",
        ),
        (["evaluate", "faces.json"], "expected 68 key points, 204 numbers, came 12"),
        (["evaluate", ".", "--list", "train.txt"], "no .pts file below"),
    ],
)
def test_a_slip_is_one_line(arguments, message, photos, monkeypatch, capsys):
    monkeypatch.chdir(photos)
    assert main(arguments) == 1
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 1 and err[0].startswith("occlumark: ") and message in err[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ["pack", "faces.json", "--markup", "mine.toml", "--dataset", "cofw", "--out", "x.pack"],
        ["evaluate", "COFW", "--dataset", "cofw", "--list", "test.txt"],
        ["evaluate", ".", "--photos", "photos"],
        ["pack", ".", "--markup", "mine.toml", "--photos", "photos", "--out", "x.pack"],
    ],
)
def test_what_does_not_go_together_is_wrong_usage(arguments, photos, monkeypatch):
    monkeypatch.chdir(photos)
    with pytest.raises(SystemExit, match="2"):
        main(arguments)


def test_the_first_twenty_faces_left_out_are_named_and_the_others_counted(photos, monkeypatch, capsys):
    monkeypatch.chdir(photos)
    (photos / "t.csv").write_text(
        "photo,x0,y0,x1,y1,x2,y2,x3,y3\n00.png,30,40,60,40,45,55,45,75\n"
        + "".join(f"none-{i}.png,30,40,60,40,45,55,45,75\n" for i in range(33))
    )
    arguments = ["pack", "t.csv", "--markup", "mine.toml", "--boxes", "annotated", "--size", "64", "--out", "x.pack"]
    assert main(arguments) == 1
    err = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    assert len(err) == 21 and "none-19.png" in err[19] and err[20].endswith("left out 13 more; 33 in all")
