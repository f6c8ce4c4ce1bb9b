"""What is fuzzed: for each kind of file the seeds, made by our own code, and the reader that strangers' files meet."""

import io
import json
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from occlumark.config import load, parse_json
from occlumark.data.pack import Pack, PackConfig, write_pack
from occlumark.data.sample import Sample
from occlumark.data.wflw import LISTS
from occlumark.errors import ConfigError, PhotoError
from occlumark.face import Face
from occlumark.packaged import packaged_finder
from occlumark.photo import read_photo
from robustness.pictures import animated, by_pillow, jpeg_2000, netpbm, picture

#: Photos are read with this limit: one of the default's 100 megapixels may take 1 GB where nothing is wrong with it.
MAX_PIXELS = 20_000_000


#: Photos that the tables name; one and the same is at each place.
BESIDE = (
    "a.jpg",
    "b.jpg",
    "0/a.jpg",
    "0/b.jpg",
    "helen/testset/b.jpg",
    "WFLW_images/a.jpg",
    "WFLW_images/0/b.jpg",
)


class Kind(NamedTuple):
    """A kind of file."""

    seeds: Callable[[], list[bytes]]
    """Makes whole files."""
    name: str
    """What such a file is called, where its reader looks for it in a folder."""
    read: Callable[[Path], object]
    """Reads the file at a path, as far as a command would."""


def prepared(folder: Path, kind: Kind) -> Path:
    """Put the photos that tables name into a folder.

    Returns:
        Where the file of this kind goes.
    """
    (photo,) = by_pillow("JPEG")()
    path = folder / kind.name
    for place in (path, *(folder / name for name in BESIDE)):
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(photo)
    return path


def _landmarks(n: int = 68) -> np.ndarray:
    return np.column_stack([np.linspace(5, 35, n), 12 + 8 * np.sin(np.arange(n))])


def _pts() -> list[bytes]:
    body = "\n".join(f"{x:.3f} {y:.3f}" for x, y in _landmarks())
    return [f"version: 1\nn_points: 68\n{{\n{body}\n}}\n".encode(), body.encode()]


def _scenes() -> list[bytes]:
    return [b"file,kind,x0,y0,x1,y1\na.jpg,manual,1,2,30,20\na.jpg,ignore,1,2,3.5,4\nb.jpg,none,,,,\nb.jpg,none,,,,\n"]


def _boxes() -> list[bytes]:
    return [b"set,file,x0,y0,x1,y1\n.,a.jpg,1,2,30,20\nhelen/testset,b.jpg,1.5,2.5,30,20\n"]


def _wflw() -> list[bytes]:
    numbers = [*_landmarks(98).ravel().round(2).tolist(), 1, 1, 39, 23, 0, 1, 0, 0, 1, 0]
    line = " ".join(map(str, numbers))
    return [f"{line} a.jpg\n{line} 0/b.jpg\n".encode()]


def _toml() -> list[bytes]:
    folder = Path(__file__).parents[1] / "configs"
    return [path.read_bytes() for path in sorted(folder.glob("*.toml"))]


def _face() -> list[bytes]:
    from occlumark.crop import CropTransform

    crop = CropTransform(np.array([[2.0, 0, 1], [0, 2.0, 3]]), 224)
    share = np.linspace(0, 1, 68)
    face = Face(np.array([1.0, 2, 30, 20]), 0.9, _landmarks(), share, np.linspace(0, 1, 49).reshape(7, 7), crop, share)
    return [json.dumps(face.to_json()).encode()]


def _pack() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        photo = Path(folder, "a.png")
        Image.fromarray(picture()).save(photo)
        samples = [Sample(name, photo, _landmarks(), None) for name in ("a.png", "b.png")]
        write_pack(samples, Path(folder, "a.pack"), PackConfig(size=32))
        return [Path(folder, "a.pack").read_bytes()]


def _read_pack(path: Path) -> object:
    pack = Pack.open(path)
    return pack.n_landmarks, [pack.crops[i] for i in range(len(pack))]


def _checkpoint() -> list[bytes]:
    import torch

    from occlumark.train.checkpoint import Checkpoint, save_checkpoint
    from occlumark.train.config import FinderConfig, LandmarkConfig

    weights = {"a.weight": torch.arange(6.0), "b": torch.tensor(3)}
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for kind, config in (("landmarks", LandmarkConfig()), ("finder", FinderConfig())):
            path = Path(folder, f"{kind}.safetensors")
            averaged = {f"module.{name}": value.clone() for name, value in weights.items()}
            save_checkpoint(
                path, Checkpoint(kind, config, 3, "d", weights, averaged, {"a.weight/step": torch.ones(())})
            )
            files.append(path.read_bytes())
        return files


def _read_checkpoint(path: Path) -> object:
    from occlumark.train.checkpoint import load_checkpoint

    return load_checkpoint(path)


def _onnx() -> list[bytes]:
    return [packaged_finder()[0].read_bytes()]


def _read_onnx(path: Path) -> object:
    from occlumark.finder import NetworkFinder

    return NetworkFinder(weights=path, threads=1)(picture())


def _aflw_mat() -> list[bytes]:
    import scipy.io

    names = np.empty((2, 1), object)
    names[:, 0] = ["0/a.jpg", "0/b.jpg"]
    points = np.tile(_landmarks(19).T.ravel(), (2, 1))
    values = {
        "bbox": np.tile([1.0, 30, 2, 20], (2, 1)),
        "data": points,
        "mask_new": np.ones((2, 19)),
        "nameList": names,
        "ra": np.array([[2, 1]]),
    }
    files = []
    for compressed in (False, True):
        file = io.BytesIO()
        scipy.io.savemat(file, values, do_compression=compressed)
        files.append(file.getvalue())
    return files


def _cofw_mat() -> list[bytes]:
    import h5py

    rows = np.tile(np.r_[_landmarks(29).T.ravel(), np.zeros(29)], (2, 1))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.mat")
        with h5py.File(path, "w") as mat:
            cells = mat.create_dataset("IsT", (1, 2), dtype=h5py.ref_dtype)
            for i, photo in enumerate((picture().T, picture()[..., 0].T)):
                cells[0, i] = mat.create_dataset(f"#refs#/{i}", data=photo, compression="gzip" if i else None).ref
            mat.create_dataset("phisT", data=rows.T)
            mat.create_dataset("bboxesT", data=np.tile([1.0, 2, 30, 20], (2, 1)).T)
        return [path.read_bytes()]


def _sqlite() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(Path(folder, "a.sqlite"))
        database.executescript(
            "CREATE TABLE Faces (face_id INTEGER, file_id TEXT); CREATE TABLE FaceImages (file_id TEXT, filepath TEXT);"
            "CREATE TABLE FaceRect (face_id INTEGER, x INTEGER, y INTEGER, w INTEGER, h INTEGER);"
            "CREATE TABLE FeatureCoords (face_id INTEGER, feature_id INTEGER, x REAL, y REAL);"
            "INSERT INTO Faces VALUES (1, 'f'), (2, 'g');"
            "INSERT INTO FaceImages VALUES ('f', '0/a.jpg'), ('g', 'b.jpg');"
            "INSERT INTO FaceRect VALUES (1, 1, 2, 30, 20);"
        )
        rows = [(1, i + 1, x, y) for i, (x, y) in enumerate(_landmarks(21))]
        database.executemany("INSERT INTO FeatureCoords VALUES (?, ?, ?, ?)", rows)
        database.commit()
        database.close()
        return [Path(folder, "a.sqlite").read_bytes()]


def _read_scenes(path: Path) -> object:
    from occlumark.data.scenes import read_scenes

    return read_scenes(path.parent)


def _read_wflw(path: Path) -> object:
    from occlumark.data.wflw import read_wflw

    return read_wflw(path.parents[2])


def _read_cofw(path: Path) -> object:
    from occlumark.data.cofw import read_cofw

    samples, _ = read_cofw(path.parent)
    for sample in samples:
        with suppress(PhotoError):
            sample.read_photo()
    return samples


def _read_aflw(path: Path) -> object:
    from occlumark.data.aflw import read_aflw

    return read_aflw(path.parent)


def _read_aflw_database(path: Path) -> object:
    from occlumark.data.aflw import read_aflw_database

    return read_aflw_database(path.parent)


def _read_toml(path: Path) -> object:
    from occlumark.train.config import FinderConfig, LandmarkConfig

    try:
        return load(LandmarkConfig, path)
    except ConfigError:
        return load(FinderConfig, path)


def _read_pts(path: Path) -> object:
    from occlumark.data.pts import read_pts

    return read_pts(path)


def _read_boxes(path: Path) -> object:
    from occlumark.data.w300 import read_boxes

    return read_boxes(path)


def _photo(path: Path) -> object:
    return read_photo(path, MAX_PIXELS)


KINDS = {
    "jpeg": Kind(by_pillow("JPEG", {}, {"progressive": True}, {"mode": "CMYK"}, {"mode": "L"}), "a.jpg", _photo),
    "png": Kind(by_pillow("PNG", {}, {"mode": "P"}, {"mode": "LA"}, {"mode": "I;16"}), "a.png", _photo),
    "webp": Kind(by_pillow("WEBP", {}, {"lossless": True}), "a.webp", _photo),
    "gif": Kind(animated, "a.gif", _photo),
    "bmp": Kind(by_pillow("BMP", {}, {"mode": "P"}, {"mode": "1"}), "a.bmp", _photo),
    "tiff": Kind(
        by_pillow("TIFF", {}, {"compression": "tiff_lzw"}, {"compression": "jpeg"}, {"mode": "I;16"}), "a.tif", _photo
    ),
    "netpbm": Kind(netpbm, "a.ppm", _photo),
    "jpeg2000": Kind(jpeg_2000, "a.jp2", _photo),
    "avif": Kind(by_pillow("AVIF"), "a.avif", _photo),
    "pts": Kind(_pts, "a.pts", _read_pts),
    "scenes": Kind(_scenes, "boxes.csv", _read_scenes),
    "boxes": Kind(_boxes, "detector_boxes.csv", _read_boxes),
    "wflw": Kind(_wflw, LISTS["train"], _read_wflw),
    "toml": Kind(_toml, "a.toml", _read_toml),
    "face": Kind(_face, "a.json", lambda path: Face.from_json(parse_json(path.read_bytes(), "face"))),
    "pack": Kind(_pack, "a.pack", _read_pack),
    "checkpoint": Kind(_checkpoint, "a.safetensors", _read_checkpoint),
    "onnx": Kind(_onnx, "a.onnx", _read_onnx),
    "mat": Kind(_aflw_mat, "AFLWinfo_release.mat", _read_aflw),
    "sqlite": Kind(_sqlite, "aflw.sqlite", _read_aflw_database),
    "hdf5": Kind(_cofw_mat, "COFW_test_color.mat", _read_cofw),
}
