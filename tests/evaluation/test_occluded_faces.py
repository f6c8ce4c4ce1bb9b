import numpy as np
import pytest

from occlumark.errors import AnnotationError, BoxError
from occlumark.evaluation import occluded_faces
from occlumark.evaluation.occluded_faces import EXTENT, MAX_SIDE, SHARES, Picture, generator, pictures_of
from occlumark.markup import tight_box
from occlumark.occluders.drawing import Source
from occlumark.occluders.kinds import BENCHMARK
from occlumark.occluders.occlude import occluded_landmarks
from occlumark.occluders.occlude_share import TOLERANCE, face_area, occlude_share


def photo_of(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


def made(
    landmarks: np.ndarray, shape: tuple[int, int] = (300, 320), seed: int = 0, name: str = "a.jpg"
) -> list[Picture]:
    return pictures_of(photo_of(*shape), landmarks, tight_box(landmarks) + 2.5, seed, name)


def test_the_clean_picture_holds_the_photos_own_pixels(symmetric_face: np.ndarray) -> None:
    landmarks = 0.5 * symmetric_face + [90.25, 20.5]
    clean = made(landmarks)[0]
    size = clean.photo.shape[0]
    tight = tight_box(landmarks)
    assert size == np.ceil(EXTENT * (tight[2:] - tight[:2]).max())
    shift = landmarks[0] - clean.landmarks[0]
    np.testing.assert_array_equal(shift, np.round(shift))
    np.testing.assert_allclose(clean.landmarks + shift, landmarks, atol=1e-9)
    np.testing.assert_allclose(clean.box + np.tile(shift, 2), tight + 2.5, atol=1e-9)
    around = np.pad(photo_of(300, 320), ((500, 500), (500, 500), (0, 0)))  # black beyond the photo
    x, y = (shift + 500).astype(int)
    assert y < 500, "the square leaves the photo above"
    np.testing.assert_array_equal(clean.photo, around[y : y + size, x : x + size])
    assert clean.share == 0 and clean.kind == "" and not clean.occluded.any()


def test_a_large_face_is_reduced(symmetric_face: np.ndarray) -> None:
    clean = made(4 * symmetric_face, (900, 900))[0]
    assert clean.photo.shape == (MAX_SIDE, MAX_SIDE, 3)
    sides = tight_box(clean.landmarks)
    assert (sides[2:] - sides[:2]).max() == pytest.approx(MAX_SIDE / EXTENT, abs=0.5)
    middle = (sides[:2] + sides[2:]) / 2
    np.testing.assert_allclose(middle, MAX_SIDE / 2, atol=1)


def test_each_share_is_occluded_and_the_truth_is_the_drawn_one(symmetric_face: np.ndarray) -> None:
    clean, *occluded = made(0.6 * symmetric_face + 60)
    assert tuple(picture.share for picture in occluded) == SHARES
    texture = Source(textures=[occluded_faces.read_photo(occluded_faces._TEXTURE)])
    for picture in occluded:
        again = occlude_share(
            clean.photo, clean.landmarks, picture.share, generator(0, picture.share, "a.jpg"), texture
        )
        assert picture.kind == again.kind and picture.kind in BENCHMARK
        np.testing.assert_array_equal(picture.photo, again.crop)
        np.testing.assert_array_equal(picture.occluded, occluded_landmarks(again.alpha, clean.landmarks))
        area = face_area(clean.landmarks, len(clean.photo)) > 0
        assert again.alpha[area].mean() == pytest.approx(picture.share, abs=TOLERANCE)
        np.testing.assert_array_equal(picture.landmarks, clean.landmarks)
        np.testing.assert_array_equal(picture.box, clean.box)
        assert (picture.photo != clean.photo).any()
    assert occluded[-1].occluded.any()


def test_the_occluder_depends_on_seed_share_and_file_name_alone() -> None:
    def drawn(seed: int, share: float, name: str) -> float:
        return float(generator(seed, share, name).random())

    assert drawn(0, 0.25, "lfpw/testset/a.jpg#2") == drawn(0, 0.25, "a.jpg#2")
    others = [drawn(1, 0.25, "a.jpg"), drawn(0, 0.1, "a.jpg"), drawn(0, 0.25, "b.jpg"), drawn(0, 0.25, "a.jpg#2")]
    assert len({drawn(0, 0.25, "a.jpg"), *others}) == 5


def test_the_same_seed_gives_the_same_pictures(symmetric_face: np.ndarray) -> None:
    landmarks = 0.4 * symmetric_face + 60
    first, again, other = made(landmarks), made(landmarks, name="folder/a.jpg"), made(landmarks, seed=1)
    for picture, twin, different in zip(first[1:], again[1:], other[1:], strict=True):
        np.testing.assert_array_equal(picture.photo, twin.photo)
        assert (picture.photo != different.photo).any()


def test_a_box_beside_the_face(symmetric_face: np.ndarray) -> None:
    landmarks = 0.4 * symmetric_face
    with pytest.raises(BoxError, match="outside the photo"):
        pictures_of(photo_of(400, 400), landmarks, tight_box(landmarks) + 300, 0, "a.jpg")


def test_a_face_that_nothing_occludes(symmetric_face: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise ValueError("no occluder covers 10% of this face")

    monkeypatch.setattr(occluded_faces, "occlude_share", refuse)
    with pytest.raises(AnnotationError, match="cannot be occluded: no occluder covers 10%"):
        made(symmetric_face)
