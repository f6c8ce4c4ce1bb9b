"""Small annotated folders of our own making."""

import csv
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import pytest

FACE = np.stack([np.linspace(20, 80, 68), 50 + 30 * np.sin(np.arange(68))], axis=1)


def pts_text(points: np.ndarray, header: bool = True) -> str:
    body = "\n".join(f"{x:.6f} {y:.6f}" for x, y in points)
    return f"version: 1\nn_points: {len(points)}\n{{\n{body}\n}}\n" if header else f"{body}\n"


@pytest.fixture
def add_face() -> Callable[..., np.ndarray]:
    """A function that writes a photo (120 x 100) and a .pts (1-based) beside it."""

    def add(annotation: Path, photo: str | None = None, shift: float = 0.0) -> np.ndarray:
        annotation.parent.mkdir(parents=True, exist_ok=True)
        points = FACE + shift
        annotation.write_text(pts_text(points))
        pixels = np.random.default_rng(0).integers(0, 255, (120, 100, 3), dtype=np.uint8)
        name = photo if photo is not None else f"{annotation.stem}.jpg"
        if name:
            cv2.imwrite(str(annotation.with_name(name)), pixels)
        return points - 0.5

    return add


def mean_face(n: int) -> np.ndarray:
    """(n, 2) places of our own, no two the same, within a photo of 120 x 100."""
    return np.column_stack([np.linspace(20, 80, n), 50 + 30 * np.sin(np.arange(n))])


def small_photo(seed: int) -> np.ndarray:
    """(120, 100, 3) uint8, RGB, another for each seed."""
    return np.random.default_rng(seed).integers(0, 255, (120, 100, 3), dtype=np.uint8)


class Cofw(NamedTuple):
    """What write_cofw wrote: MATLAB's values, pixels counted from 1."""

    file: Path
    rows: np.ndarray
    boxes: np.ndarray
    photos: list[np.ndarray]


@pytest.fixture
def write_cofw() -> Callable[..., Cofw]:
    """A function that writes a file of COFW as MATLAB does at version 7.3: its own header before HDF5's, arrays with
    reversed axes, and cells as references into #refs#. Every third photo is grey."""
    h5py = pytest.importorskip("h5py", reason="needs h5py (the data extra)")

    def write(file: Path, images: str, annotations: str, boxes: str, n: int) -> Cofw:
        file.parent.mkdir(parents=True, exist_ok=True)
        rows = np.stack([np.r_[(mean_face(29) + i).T.ravel(), (np.arange(29) + i) % 4 == 0] for i in range(n)])
        corners = np.column_stack([np.full(n, 11), np.arange(n) + 12, np.full(n, 60), np.full(n, 70)]).astype(float)
        photos = [small_photo(i)[..., 0] if i % 3 == 2 else small_photo(i) for i in range(n)]
        with h5py.File(file, "w", userblock_size=512) as mat:
            cells = mat.create_dataset(images, (1, n), dtype=h5py.ref_dtype)
            cells.attrs["MATLAB_class"] = np.bytes_("cell")
            for i, photo in enumerate(photos):
                stored = mat.create_dataset(f"#refs#/{i}", data=photo.T)
                stored.attrs["MATLAB_class"] = np.bytes_("uint8")
                cells[0, i] = stored.ref
            for name, values in ((annotations, rows), (boxes, corners)):
                mat.create_dataset(name, data=values.T).attrs["MATLAB_class"] = np.bytes_("double")
        with file.open("r+b") as raw:
            raw.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64, Created on: Fri Nov 15 2013".ljust(124) + b"\0\2IM")
        return Cofw(file, rows, corners, photos)

    return write


@pytest.fixture
def write_cofw68() -> Callable[..., np.ndarray]:
    """A function that writes COFW68's boxes and annotations, and gives the (n, 68, 2) points, counted from 1."""
    io = pytest.importorskip("scipy.io", reason="needs scipy (the test extra)")

    def write(folder: Path, n: int) -> np.ndarray:
        (folder / "test_annotations").mkdir(parents=True)
        points = np.stack([mean_face(68) + i for i in range(n)])
        for i in range(n):
            content = {"Points": points[i], "Occ": (np.arange(68) % 5 == i).astype(np.uint8)[None]}
            io.savemat(folder / "test_annotations" / f"{i + 1}_points.mat", content)
        boxes = np.column_stack([np.full(n, 11), np.arange(n) + 12, np.full(n, 60), np.full(n, 70)])
        io.savemat(folder / "cofw68_test_bboxes.mat", {"bboxes": boxes.astype(np.int16)})
        return points

    return write


@pytest.fixture
def write_aflw() -> Callable[..., dict[str, np.ndarray]]:
    """A function that writes AFLWinfo_release.mat and its photos, and gives the list's variables.

    Faces 0 and 1 share a photo. All landmarks of an even face are visible, landmark 3 of an odd one is not.
    """
    io = pytest.importorskip("scipy.io", reason="needs scipy (the test extra)")

    def write(folder: Path, order: Sequence[int], photos: str = "data/flickr") -> dict[str, np.ndarray]:
        n = len(order)
        names = np.empty((n, 1), object)
        for i in range(n):
            names[i, 0] = f"{i % 2}/image{max(i, 1):05d}.jpg" if i else "1/image00001.jpg"
            path = folder / photos / names[i, 0]
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), small_photo(i))
        visible = np.ones((n, 19), np.uint8)
        visible[1::2, 3] = 0
        content = {
            "bbox": np.column_stack([np.arange(n) + 10, np.full(n, 90), np.arange(n) + 15, np.full(n, 85)]),
            "data": np.stack([(mean_face(19) + i).T.ravel() for i in range(n)]),
            "mask_new": visible,
            "nameList": names,
            "ra": np.array([order]) + 1,
        }
        io.savemat(folder / "AFLWinfo_release.mat", content)
        return content

    return write


@pytest.fixture
def write_aflw_table() -> Callable[..., list[dict[str, Any]]]:
    """A function that writes aflw19.csv and its photos, and gives the table's rows, or writes rows given.

    A training face and two test faces; the last is frontal, landmark 3 of the others is not visible.
    """

    def rows_of_three() -> list[dict[str, Any]]:
        rows = []
        for i, (image, split) in enumerate(
            (("0/image1-40", "train"), ("0/image1-41", "test"), ("2/image7-42", "test"))
        ):
            row = {"photo": f"{i}.jpg", "aflw_image": image, "split": split, "frontal": int(i == 2)}
            row |= {"box_x0": i + 10, "box_y0": 15, "box_x1": 90, "box_y1": 85, "residual_px": 0.5 + 0.25 * i}
            for point, (x, y) in enumerate(mean_face(19) + i):
                row |= {f"x{point}": x, f"y{point}": y, f"visible{point}": 1}
            if i < 2:
                row["visible3"] = 0
            if i == 0:
                row["x3"] = row["y3"] = ""
            rows.append(row)
        return rows

    def write(folder: Path, rows: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
        rows = rows or rows_of_three()
        (folder / "photos").mkdir(parents=True, exist_ok=True)
        for i in range(3):
            cv2.imwrite(str(folder / "photos" / f"{i}.jpg"), small_photo(i))
        with (folder / "aflw19.csv").open("w", newline="") as file:
            table = csv.DictWriter(file, list(rows[0]))
            table.writeheader()
            table.writerows(rows)
        return rows

    return write


@pytest.fixture
def write_wflw() -> Callable[..., np.ndarray]:
    """A function that writes one of WFLW's lists and its photos, and gives the (n, 98, 2) points as in the list.

    Faces 0 and 1 share a photo whose name has a space in it. Face i has flag i alone, the sixth and later ones none.
    """

    def write(folder: Path, part: str, n: int) -> np.ndarray:
        lists = folder / "WFLW_annotations" / "list_98pt_rect_attr_train_test"
        lists.mkdir(parents=True, exist_ok=True)
        points = np.stack([mean_face(98) + i for i in range(n)])
        lines = []
        for i in range(n):
            flags = [int(i == flag) for flag in range(6)]
            photo = f"{i}--Some_Event/{part} {max(i, 1)}.jpg" if i else f"1--Some_Event/{part} 1.jpg"
            words = [*(f"{value:.6f}" for value in points[i].ravel()), 19, 18 + i, 82, 83 + i, *flags, photo]
            lines.append(" ".join(map(str, words)))
            path = folder / "WFLW_images" / photo
            path.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(path), small_photo(i))
        (lists / f"list_98pt_rect_attr_{part}.txt").write_text("\n".join(lines) + "\n")
        return points

    return write
