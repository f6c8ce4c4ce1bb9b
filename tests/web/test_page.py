"""The real page in a real browser: what it finds is what Python finds, and nothing leaves the computer."""

import base64
import io
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from occlumark import Detector, Face, read_photo, write_photo
from occlumark.crop import CropConfig, CropTransform
from occlumark.demo import OCCLUDERS, SAMPLES
from occlumark.landmarker import Landmarker
from occlumark.markup import W300
from occlumark.recrop import crop_around
from tests.web.conftest import served

#: Landmarks of the page's and of Python's lie within so much, photo pixels.
SAME = 0.5
#: Where the docs' picture is to be written, as docs/browser.md says.
SHOT = os.environ.get("OCCLUMARK_WEB_SHOT")


@pytest.fixture(scope="module")
def detector(built: Path) -> Detector:
    """Of the file that the page runs."""
    return Detector(weights=built / "landmarks.onnx", threads=1)


@pytest.fixture(scope="module")
def photos(detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The sample, and its head and shoulders with a hand, sunglasses, and turned; lossless, to decode them alike."""
    folder = tmp_path_factory.mktemp("photos")
    photo = read_photo(SAMPLES / "astronaut.jpg")
    box = max(detector.detect(photo), key=lambda face: face.score).box
    portrait = CropTransform.from_box(box, CropConfig(size=512, scale=2.2)).cut(photo)
    (clean,) = detector.detect(portrait)
    made = {
        "sample": photo,
        "turned": np.ascontiguousarray(np.rot90(portrait)),
        "sunglasses": OCCLUDERS["sunglasses"](portrait.copy(), clean),
        "hand": OCCLUDERS["hand"](portrait.copy(), clean),
    }
    for name, pixels in made.items():
        write_photo(folder / f"{name}.png", pixels)
    return [folder / f"{name}.png" for name in made]


@pytest.fixture(scope="module")
def camera(photos: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video for the browser to take for the camera: 640 x 480, two frames of the sample, over and over."""
    photo = read_photo(photos[0])
    frame = np.zeros((480, 640, 3), np.uint8)
    part = photo[:480, :640]
    frame[: part.shape[0], : part.shape[1]] = part
    path = tmp_path_factory.mktemp("camera") / "camera.y4m"
    planes = cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes()
    path.write_bytes(b"YUV4MPEG2 W640 H480 F30:1 Ip A1:1 C420\n" + 2 * (b"FRAME\n" + planes))
    return path


@pytest.fixture(scope="module")
def driven(
    drive: Callable[[dict[str, Any]], dict[str, Any]],
    url: str,
    photos: list[Path],
    camera: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> dict[str, Any]:
    """What came of driving the page once (web/test/drive.mjs), with `shot`, the picture taken."""
    folder = tmp_path_factory.mktemp("driven")
    broken = folder / "broken.jpg"
    broken.write_bytes(b"no photo")
    shot = folder / "shot.png"
    task = {
        "url": url,
        "photos": [str(path) for path in [broken, *photos]],
        "shot": str(shot),
        "video": str(camera),
        "seconds": 1,
    }
    return drive(task) | {"shot": shot}


@pytest.mark.slow
def test_landmarks_are_pythons(driven, photos, detector):
    broken, *results = driven["photos"]
    assert "cannot read that file" in broken["said"]
    for path, result in zip(photos, results, strict=True):
        (ours,) = detector.detect(path)
        assert re.fullmatch(r"1 face in \d+ ms\.", result["said"])
        (theirs,) = [Face.from_json(face) for face in result["faces"]]
        distances = np.abs(theirs.landmarks - ours.landmarks).max(axis=1)
        # a rounding may choose the next cell of 4 crop pixels
        assert (distances > SAME).sum() <= 2 and distances.max() < 4 * 2**0.5 / ours.crop.zoom + SAME, path.stem
        np.testing.assert_allclose(theirs.visibility, ours.visibility, atol=0.05, err_msg=path.stem)
        np.testing.assert_allclose(theirs.occlusion_map, ours.occlusion_map, atol=0.05, err_msg=path.stem)
        np.testing.assert_allclose(theirs.presence, ours.presence, atol=0.01)
    assert [bool(np.any(np.array(result["faces"][0]["visibility"]) < 0.5)) for result in results[2:]] == [True, True]


@pytest.mark.slow
def test_the_cameras_faces_are_pythons(driven, built):
    """In the page's last crop: crops follow landmarks, and how many frames there were is the clock's."""
    said, frame = driven["camera"]["said"], base64.b64decode(driven["camera"]["frame"].partition(",")[2])
    assert re.fullmatch(r"1 face, \d+ ms per frame, [\d.]+ frames per second", said)
    pixels = np.array(Image.open(io.BytesIO(frame)).convert("RGB"))
    assert pixels.shape == (480, 640, 3)
    (theirs,) = [Face.from_json(face) for face in driven["camera"]["faces"]]
    crop, landmarker = theirs.crop, Landmarker(built / "landmarks.onnx", threads=1)
    ours = crop.to_photo(landmarker.predict(crop.cut(pixels)[None]).landmarks[0])
    distances = np.linalg.norm(theirs.landmarks - ours, axis=1)
    # A rounding can move the small network's first guess into the next cell, four pixels on: a landmark or two follow.
    assert (distances > SAME).sum() <= 2 and distances.max() < 4 * 2**0.5 / crop.zoom + SAME
    around = crop_around(ours, W300, landmarker.crop)
    corners = np.array([[0, 0], [crop.size, 0], [0, crop.size]])
    np.testing.assert_allclose(crop.to_photo(corners), around.to_photo(corners), atol=8)


@pytest.mark.slow
def test_a_stopped_camera_is_off(driven):
    assert driven["camera"]["live"] == 0


@pytest.mark.slow
def test_networks_that_cannot_be_loaded_are_said(drive, built, photos, tmp_path):
    shutil.copytree(built, tmp_path / "page", ignore=shutil.ignore_patterns("worker.js"))
    with served(tmp_path / "page") as url:
        task = {"url": url, "photos": [str(photos[0])], "until": "^That failed: the networks could not be loaded"}
        assert drive(task)["said"] == "That failed: the networks could not be loaded"


@pytest.mark.slow
def test_nothing_leaves_the_computer(driven, url):
    own = url.rpartition("/")[0]
    assert [name for name in driven["requested"] if not name.startswith((own, f"blob:{own}", "data:"))] == []
    assert any(name.endswith("landmarks.onnx") for name in driven["requested"])
    assert driven["reached"] == ["refused", "refused"]  # a request of the page, and of its worker, to another origin
    assert driven["wrong"] == []


@pytest.mark.slow
def test_the_picture_shows_what_is_occluded(driven):
    """The photo, green and amber points; the docs' picture is made of it."""
    picture = Image.open(driven["shot"]).convert("RGB")
    pixels = np.array(picture).astype(int)
    for colour in ((40, 220, 110), (255, 190, 0)):
        assert (np.abs(pixels - colour).max(axis=2) < 25).sum() > 30
    if SHOT:
        picture.quantize(160, dither=Image.Dither.NONE).save(SHOT, optimize=True)
        assert Path(SHOT).stat().st_size < 200_000
