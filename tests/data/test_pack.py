import json
import math
import os
import pickle
import struct
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from occlumark.crop import CropTransform
from occlumark.data import pack as pack_module
from occlumark.data import pack_header
from occlumark.data import sample as sample_module
from occlumark.data.pack import BY_NETWORK, OCCLUDED, UNKNOWN, VISIBLE, Pack, PackConfig, write_pack
from occlumark.data.sample import Problem, Sample
from occlumark.data.w300 import read_w300
from occlumark.errors import CheckpointError, OcclumarkError
from occlumark.photo import read_photo

AddFace = Callable[..., np.ndarray]
SMALL = PackConfig(size=64, extent=1.5)


@pytest.fixture
def samples(tmp_path: Path, add_face: AddFace) -> list[Sample]:
    for number, name in enumerate(["a", "b_1", "b_2"]):
        add_face(tmp_path / "photos" / f"{name}.pts", f"{name}.png", shift=number)
    (tmp_path / "photos" / "detector_boxes.csv").write_text("set,file,x0,y0,x1,y1\n.,b_1.png,20,30,80,90\n")
    return read_w300([tmp_path / "photos"])[0]


@pytest.fixture
def packed(tmp_path: Path, samples: list[Sample]) -> Path:
    write_pack(samples, tmp_path / "faces.pack", SMALL)
    return tmp_path / "faces.pack"


def test_what_goes_in_comes_out(samples: list[Sample], packed: Path) -> None:
    pack = Pack.open(packed)
    assert len(pack) == 3 and pack.config == SMALL and pack.crops.shape == (3, 64, 64, 3)
    assert pack.names == ["a.png", "b_1.png", "b_2.png"]
    for i, sample in enumerate(samples):
        transform = CropTransform.from_box(sample.tight_box, SMALL.crop)
        np.testing.assert_array_equal(pack.crops[i], transform.cut(read_photo(sample.photo)))
        np.testing.assert_allclose(transform.to_photo(pack.landmarks[i]), sample.landmarks, atol=1e-4)
        tight = transform.to_photo(pack.tight_boxes[i].reshape(2, 2)).ravel()
        np.testing.assert_allclose(tight, sample.tight_box, atol=1e-4)
        assert pack.zooms[i] == pytest.approx(transform.zoom)
        # By the crop's definition: centred, its longer side 64 / 1.5.
        x0, y0, x1, y1 = pack.tight_boxes[i]
        np.testing.assert_allclose([x0 + x1, y0 + y1, max(x1 - x0, y1 - y0)], [64, 64, 64 / 1.5], rtol=1e-5)
    assert np.isnan(pack.official_boxes[[0, 2]]).all()
    official = CropTransform.from_box(samples[1].tight_box, SMALL.crop).to_photo(pack.official_boxes[1].reshape(2, 2))
    np.testing.assert_allclose(official.ravel(), [19.5, 29.5, 79.5, 89.5], atol=1e-4)


@pytest.mark.parametrize("n", [19, 29, 98])
def test_a_pack_of_another_markup(tmp_path: Path, samples: list[Sample], n: int) -> None:
    rng = np.random.default_rng(0)
    others = [replace(sample, landmarks=rng.uniform(20, 80, (n, 2))) for sample in samples]
    others[1].landmarks[3] = np.nan
    write_pack(others, tmp_path / "other.pack", SMALL)
    pack = Pack.open(tmp_path / "other.pack")
    assert pack.n_landmarks == n and pack.landmarks.shape == (3, n, 2)
    for i, sample in enumerate(others):
        transform = CropTransform.from_box(sample.tight_box, SMALL.crop)
        np.testing.assert_allclose(transform.to_photo(pack.landmarks[i]), sample.landmarks, atol=1e-4)
    assert np.isfinite(pack.tight_boxes).all()


def test_a_pack_of_68_points_has_the_header_that_older_ones_have(packed: Path) -> None:
    head = packed.read_bytes()[8:4096]
    about = json.loads(json.loads(head)["__metadata__"]["occlumark"])
    assert about.keys() == {"format", "kind", "faces", "names_bytes", "config", "digest"}
    assert Pack.open(packed).n_landmarks == 68


def test_an_older_pack_calls_the_number_of_its_landmarks_markup(
    tmp_path: Path, samples: list[Sample], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "other.pack"
    others = [replace(sample, landmarks=sample.landmarks[:29]) for sample in samples]
    monkeypatch.setattr(pack_module, "pack_header", partial(pack_header.pack_header, key="markup"))
    write_pack(others, path, SMALL)
    monkeypatch.undo()
    assert b'\\"markup\\": 29' in path.read_bytes()[:4096]
    assert Pack.open(path).n_landmarks == 29


def test_a_pack_is_of_one_markup(tmp_path: Path, samples: list[Sample]) -> None:
    other = replace(samples[0], landmarks=samples[0].landmarks[:29])
    with pytest.raises(ValueError, match="one markup, not of 29 and 68 points"):
        write_pack([*samples, other], tmp_path / "x.pack", SMALL)


def test_crops_are_rgb(tmp_path: Path, add_face: AddFace) -> None:
    add_face(tmp_path / "red.pts", "red.png")
    red = np.zeros((120, 100, 3), np.uint8)
    red[..., 2] = 255  # OpenCV writes blue, green, red
    cv2.imwrite(str(tmp_path / "red.png"), red)
    write_pack(read_w300([tmp_path])[0], tmp_path / "red.pack", SMALL)
    np.testing.assert_array_equal(Pack.open(tmp_path / "red.pack").crops[0][32, 32], [255, 0, 0])


def test_the_file_is_safetensors_and_its_crops_stay_on_the_disk(packed: Path) -> None:
    numpy_files = pytest.importorskip("safetensors.numpy", reason="needs safetensors (the train extra)")
    pack, tensors = Pack.open(packed), numpy_files.load_file(packed)
    assert len(pickle.dumps(pack.crops)) < 1000  # workers that are spawned get no pixels
    np.testing.assert_array_equal(tensors["crops"], np.stack([*pack.crops]))
    np.testing.assert_array_equal(tensors["crops"][-1], pickle.loads(pickle.dumps(pack.crops))[-1])
    for name in ("landmarks", "tight_boxes", "official_boxes", "zooms", "occlusion", "exact"):
        array = getattr(pack, name)
        assert not array.flags.writeable
        np.testing.assert_array_equal(tensors[name], array)
    assert json.loads(tensors["names"].tobytes()) == {"names": pack.names, "groups": pack.groups}


def _copy(path: Path, to: Path) -> Path:
    to.write_bytes(path.read_bytes())
    return to


@pytest.mark.parametrize(
    "change",
    [
        lambda path: os.truncate(path, 5_000),  # a memory map would end the process here, by SIGBUS
        lambda path: os.truncate(path, 0),
        lambda path: path.write_bytes(path.read_bytes() + b"more"),
        lambda path: _copy(path, path.with_suffix(".new")).replace(path),
    ],
)
def test_a_pack_that_is_changed_while_it_is_open_is_refused(packed: Path, change: Callable[[Path], object]) -> None:
    pack = Pack.open(packed)
    assert pack.crops[2].shape == (64, 64, 3)
    change(packed)
    with pytest.raises(CheckpointError, match="was changed while it was read; start again"):
        pack.crops[2]
    assert np.isfinite(pack.landmarks).all()


def test_a_pack_that_is_gone(packed: Path) -> None:
    pack = Pack.open(packed)
    packed.unlink()
    with pytest.raises(CheckpointError, match=r"cannot read pack .*No such file"):
        pack.crops[0]
    with pytest.raises(IndexError):
        pack.crops[3]


def test_a_bad_photo_is_left_out_and_listed(tmp_path: Path, samples: list[Sample]) -> None:
    samples[1].photo.write_text("no photo")
    count, problems = write_pack(samples, tmp_path / "faces.pack", SMALL)
    assert count == 2 and [problem.name for problem in problems] == ["b_1.png"]
    assert str(samples[1].photo) in problems[0].reason
    assert Pack.open(tmp_path / "faces.pack").names == ["a.png", "b_2.png"]


def test_landmarks_outside_the_photo_are_left_out_and_listed(tmp_path: Path, add_face: AddFace) -> None:
    add_face(tmp_path / "near.pts", shift=60)  # hangs over the photo's edge
    add_face(tmp_path / "outside.pts", shift=-200)
    count, problems = write_pack(read_w300([tmp_path])[0], tmp_path / "faces.pack", SMALL)
    assert count == 1 and problems == [Problem("outside.jpg", "the landmarks lie outside the photo")]


def test_nothing_to_pack(tmp_path: Path, samples: list[Sample]) -> None:
    samples[0].photo.write_text("no photo")
    with pytest.raises(OcclumarkError, match="nothing to pack"):
        write_pack(samples[:1], tmp_path / "faces.pack", SMALL)
    with pytest.raises(OcclumarkError, match="nothing to pack"):
        write_pack([], tmp_path / "faces.pack", SMALL)
    assert not list(tmp_path.glob("faces*"))


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), OSError(28, "No space left on device")])
def test_an_interrupted_pack_leaves_nothing_and_the_old_one_whole(
    monkeypatch: pytest.MonkeyPatch, samples: list[Sample], packed: Path, stop: BaseException
) -> None:
    before, calls = packed.read_bytes(), []

    def read_one_then_stop(path: Path) -> np.ndarray:
        calls.append(path)
        if len(calls) == 2:
            assert len(list(packed.parent.glob(".occlumark-*.part"))) == 1
            raise stop
        return read_photo(path)

    monkeypatch.setattr(sample_module, "read_photo", read_one_then_stop)
    with pytest.raises((KeyboardInterrupt, OcclumarkError)) as caught:
        write_pack(samples, packed, SMALL)
    if isinstance(stop, OSError):
        assert str(caught.value) == f"cannot write {packed}: No space left on device"
    assert packed.read_bytes() == before and not list(packed.parent.glob(".occlumark-*"))


def test_too_little_room_is_found_before_the_first_photo(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, samples: list[Sample]
) -> None:
    monkeypatch.setattr(pack_module.shutil, "disk_usage", lambda _: SimpleNamespace(free=10_000))
    monkeypatch.setattr(sample_module, "read_photo", lambda _: pytest.fail("a photo was read"))
    with pytest.raises(OcclumarkError, match=r"no room .*: 3 faces need 0 MB, 0 MB are free"):
        write_pack(samples, tmp_path / "faces.pack", SMALL)
    assert not list(tmp_path.glob("faces*"))


def test_a_folder_that_does_not_exist(tmp_path: Path, samples: list[Sample]) -> None:
    with pytest.raises(OcclumarkError, match=r"cannot write .*none/faces.pack: No such file"):
        write_pack(samples, tmp_path / "none" / "faces.pack", SMALL)


def _altered(content: bytes, old: bytes, new: bytes) -> bytes:
    assert content.count(old) >= 1 and len(old) == len(new)
    return content.replace(old, new, 1)


def _renumbered(content: bytes, **values: object) -> bytes:
    """A header that is its own writer's, of other numbers."""
    about = json.loads(json.loads(content[8:4096])["__metadata__"]["occlumark"])
    config = pack_module.PackConfig()
    object.__setattr__(config, "size", values.get("size", 64))
    object.__setattr__(config, "extent", about["config"]["extent"])
    contents = pack_header.PackContents(config, values.get("faces", 3), 68, about["names_bytes"], about["format"])
    return pack_header.pack_header(contents)[:4096] + content[4096:]


def _placed(content: bytes, value: float) -> bytes:
    """The first tight box, moved."""
    start = 4096 + 3 * 64 * 64 * 3 + 3 * 68 * 2 * 4
    return content[:start] + struct.pack("<f", value) + content[start + 4 :]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda b: b[:-1], "is not whole"),
        (lambda b: b + b"\0", "is not whole"),
        (lambda b: b[:5000], "is not whole"),
        (lambda b: b[:1000], "is not a pack|altered"),
        (lambda b: b"", "is not a pack"),
        (lambda b: b"\xff\xd8" + b[2:], "altered header"),
        (lambda b: _altered(b, b'\\"extent\\": 1.5', b'\\"extent\\": 1.4'), "altered header"),
        (lambda b: _altered(b, b'\\"faces\\": 3', b'\\"faces\\": 4'), "altered header"),
        (lambda b: _altered(b, b'\\"size\\": 64', b'\\"size\\": 65'), "altered header"),
        (lambda b: _altered(b, b"[3, 68, 2]", b"[2, 68, 3]"), "altered header"),
        (lambda b: _altered(b, b'\\"format\\": 2', b'\\"format\\": 9'), "expected a pack of format 2"),
        (
            lambda b: _altered(b, b'\\"kind\\": \\"pack\\"', b'\\"kind\\": \\"pick\\"'),
            "expected a pack of format 2",
        ),
        (lambda b: _altered(b, b'["a.png"', b'["a.png '), "names are no JSON"),
        (lambda b: b"\xf8" + b"\x0f" + b"\0" * 6 + b"[" * 4_088 + b[4_096:], "is not a pack"),
        (lambda b: _renumbered(b, faces=-1), "altered header"),
        (lambda b: _renumbered(b, faces=0), "altered header"),
        (lambda b: _renumbered(b, faces=10**30), "altered header|not whole"),
        (lambda b: _renumbered(b, size=320_000), "altered header"),
        (lambda b: _placed(b, math.nan), "a face's place is not finite"),
        (lambda b: _placed(b, math.inf), "a face's place is not finite"),
    ],
)
def test_a_damaged_pack_is_refused(packed: Path, damage: Callable[[bytes], bytes], message: str) -> None:
    packed.write_bytes(damage(packed.read_bytes()))
    with pytest.raises(CheckpointError, match=message) as caught:
        Pack.open(packed)
    assert str(packed) in str(caught.value) and "\n" not in str(caught.value)


def test_no_such_pack(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="No such file"):
        Pack.open(tmp_path / "none.pack")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"size": 100}, "size is in 32.."),
        ({"extent": 0.9}, "extent is in 1..3"),
        ({"extent": 3.5}, "extent is in 1..3"),
    ],
)
def test_config_out_of_range(values: dict[str, float], expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        PackConfig(**values)


def test_what_is_known_of_occlusion_travels_with_the_faces(tmp_path: Path, samples: list[Sample]) -> None:
    occluded, unknown, inexact = (np.zeros(68, bool) for _ in range(3))
    occluded[:10], unknown[8:20], inexact[5] = True, True, True
    labelled = [replace(samples[0], occluded=occluded, unknown=unknown, inexact=inexact, group="g"), *samples[1:]]
    write_pack(labelled, tmp_path / "faces.pack", SMALL)
    pack = Pack.open(tmp_path / "faces.pack")
    np.testing.assert_array_equal(pack.occlusion[0], [OCCLUDED] * 8 + [UNKNOWN] * 12 + [VISIBLE] * 48)
    assert (pack.occlusion[1:] == UNKNOWN).all() and pack.groups == ["g", "", ""]
    assert np.flatnonzero(pack.exact[0] == 0).tolist() == [5] and (pack.exact[1:] == 1).all()
    write_pack([replace(samples[0], labelled_by_network=True), samples[1]], tmp_path / "faces.pack", SMALL)
    pack = Pack.open(tmp_path / "faces.pack")
    assert (pack.exact[0] == BY_NETWORK).all() and (pack.exact[1] == 1).all()


def test_a_pack_of_the_first_format_is_read_as_one_that_knows_no_occlusion(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, samples: list[Sample]
) -> None:
    """Written by the code of that format: no arrays of occlusion, and the names as a plain list."""
    write_pack(samples, tmp_path / "new.pack", SMALL)
    new = Pack.open(tmp_path / "new.pack")
    names = json.dumps(new.names).encode()
    contents = pack_header.PackContents(SMALL, 3, 68, len(names), 1)
    arrays = (new.crops, new.landmarks, new.tight_boxes, new.official_boxes, new.zooms)
    body = b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)
    (tmp_path / "old.pack").write_bytes(pack_header.pack_header(contents) + body + names)
    old = Pack.open(tmp_path / "old.pack")
    assert old.names == new.names and old.groups == ["", "", ""]
    assert (old.occlusion == UNKNOWN).all() and (old.exact == 1).all() and old.occlusion.shape == (3, 68)
    np.testing.assert_array_equal(old.landmarks, new.landmarks)
