"""The rigid mean face behind Face.pose: structure from the manual landmarks of many photos.

    python studies/fit_mean_face_3d.py 300w/afw 300w/lfpw/trainset 300w/helen/trainset --out mean_face_3d.csv \\
        [--check afw_large_pose]

The cameras and the face are those under which the scaled orthographic projections of one face fit all photos best in
squares: first by factorisation (Tomasi and Kanade, 1992) with the metric upgrade, then in turns, each point weighted by
how little it moves. Every face counts mirrored as well, so that the mean face is symmetric. --check: a folder of .pts
with an index.csv (name, yaw_deg), on which the yaw is compared.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

from occlumark.data.pts import read_pts
from occlumark.data.w300 import read_w300
from occlumark.face.pose import _FIRST, _completed, _refined, head_pose
from occlumark.markup import MARKUPS, MIRROR, N_LANDMARKS

_INNER = np.arange(_FIRST, N_LANDMARKS)
_MIRROR = np.searchsorted(_INNER, MIRROR[_INNER])
_RIGHT_EYE, _LEFT_EYE, _RIGHT_MOUTH, _LEFT_MOUTH = np.searchsorted(_INNER, [36, 45, 48, 54])
_ROUNDS = 8


def main() -> None:
    """Fit, write the table, and compare the yaw where a folder to check is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--check", type=Path)
    args = parser.parse_args()
    samples, _ = read_w300(args.folders)
    photos = np.stack([sample.landmarks[_INNER] for sample in samples])
    photos -= photos.mean(axis=1, keepdims=True)
    photos /= np.sqrt((photos**2).mean(axis=(1, 2), keepdims=True))
    photos = np.concatenate([photos, (photos * [-1, 1])[:, _MIRROR]])
    face, weights = fitted(photos)
    lines = [f"{i},{x:.4f},{y:.4f},{z:.4f},{w:.3f}" for i, (x, y, z), w in zip(_INNER, face, weights, strict=True)]
    args.out.write_text("\n".join(["landmark,x,y,z,weight", *lines]) + "\n", encoding="utf-8")
    if args.check:
        print(compared(args.check))


def fitted(photos: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The (51, 3) mean face, outer eye corners 1 apart, and (51,) weights, their mean 1."""
    face, weights = in_its_axes(factorised(photos)), np.ones(len(_INNER))
    for _ in range(_ROUNDS):
        projections = np.stack([projection(photo, face, weights) for photo in photos])
        # photo = face @ projection.T + shift, in squares: the best face under all projections
        shifts = np.einsum("p,fpi->fi", weights, photos - face @ projections.transpose(0, 2, 1)) / weights.sum()
        seen = np.einsum("fij,fpi->pj", projections, photos - shifts[:, None])
        face = seen @ np.linalg.inv(np.einsum("fij,fik->jk", projections, projections))
        left_over = photos - shifts[:, None] - face @ projections.transpose(0, 2, 1)
        print(f"left over: {np.sqrt((left_over**2).mean()):.4f} of the face's spread")
        weights = 1 / (left_over**2).mean(axis=(0, 2))
        face, weights = in_its_axes(face), weights / weights.mean()
    return face, weights


def factorised(photos: np.ndarray) -> np.ndarray:
    """(51, 3) in axes of its own: three factors, made metric by cameras whose axes are equal and at right angles."""
    rows = photos.transpose(0, 2, 1).reshape(-1, photos.shape[1])
    left, sizes, right = np.linalg.svd(rows, full_matrices=False)
    first, second = (left[:, :3] * sizes[:3]).reshape(-1, 2, 3).transpose(1, 0, 2)
    pairs = [(0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)]

    def products(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.stack([a[:, i] * b[:, j] + (a[:, j] * b[:, i] if i != j else 0) for i, j in pairs], axis=1)

    equations = np.concatenate([products(first, first) - products(second, second), products(first, second)])
    metric = np.zeros((3, 3))
    for value, (i, j) in zip(np.linalg.svd(equations)[2][-1], pairs, strict=True):
        metric[i, j] = metric[j, i] = value
    sizes, axes = np.linalg.eigh(metric * np.sign(np.trace(metric)))
    return np.linalg.solve(axes * np.sqrt(sizes.clip(1e-6)), right[:3]).T


def in_its_axes(face: np.ndarray) -> np.ndarray:
    """x from the right eye to the left, y from the eyes to the mouth, the nose towards the camera; symmetric."""
    eyes, mouth = face[[_RIGHT_EYE, _LEFT_EYE]], face[[_RIGHT_MOUTH, _LEFT_MOUTH]]
    face = (face - face.mean(axis=0)) @ _completed(np.stack([eyes[1] - eyes[0], (mouth - eyes).mean(axis=0)])).T
    if face[30 - _FIRST, 2] > 0:
        face = face * [1, 1, -1]
    face = (face + face[_MIRROR] * [-1, 1, 1]) / 2
    return face / (face[_LEFT_EYE, 0] - face[_RIGHT_EYE, 0])


def projection(photo: np.ndarray, face: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(2, 3) scaled rows of the rotation under which the face fits a photo's points best."""
    weights = weights / weights.sum()
    photo, face = photo - weights @ photo, face - weights @ face
    linear = np.linalg.lstsq(np.sqrt(weights)[:, None] * face, np.sqrt(weights)[:, None] * photo, rcond=None)[0].T
    left, _, right = np.linalg.svd(linear, full_matrices=False)
    rotation, _ = _refined(_completed(left @ right), photo, face, weights)
    flat = face @ rotation[:2].T
    return rotation[:2] * (weights @ (photo * flat).sum(axis=1)) / (weights @ (flat**2).sum(axis=1))


def compared(folder: Path) -> str:
    """The yaw's error on views whose yaw is known, by Face.pose as it is in the package."""
    with (folder / "index.csv").open(encoding="utf-8", newline="") as file:
        known = {row["name"]: float(row["yaw_deg"]) for row in csv.DictReader(file)}
    found = [head_pose(read_pts(folder / f"{name}.pts"), np.ones(68), MARKUPS[68]).yaw_deg for name in known]
    errors = np.array(found) - list(known.values())
    return f"yaw of {len(errors)} views: mean error {errors.mean():+.2f}, mean size {np.abs(errors).mean():.2f} degrees"


if __name__ == "__main__":
    main()
