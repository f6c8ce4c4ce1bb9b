"""Batches of a pack: the mean face and the validation crops, worked out another way."""

import numpy as np

from occlumark.crop import CropConfig, CropTransform
from occlumark.data.pack import Pack
from occlumark.train.face_dataset import faces_digest, mean_face, validation_batches

CROP = CropConfig(size=64)


def test_mean_face_is_the_mean_of_plain_crops(pack_path):
    pack = Pack.open(pack_path)
    each = [
        CropTransform.from_box(box, CROP).to_crop(landmarks)
        for box, landmarks in zip(pack.tight_boxes, pack.landmarks, strict=True)
    ]
    np.testing.assert_allclose(mean_face(pack, np.arange(len(pack)), CROP), np.mean(each, axis=0), atol=1e-3)


def test_validation_crops_come_in_order_from_the_tight_box_where_there_is_no_official_one(pack_path):
    pack = Pack.open(pack_path)
    batches = list(validation_batches(pack, np.array([5, 0, 7]), CROP, 2))
    assert [crops.shape[0] for crops, _ in batches] == [2, 1]
    transform = CropTransform.from_box(pack.tight_boxes[7], CROP)
    np.testing.assert_array_equal(batches[1][0][0], transform.cut(pack.crops[7]))
    np.testing.assert_allclose(batches[1][1][0], transform.to_crop(pack.landmarks[7]))


def test_digest_tells_packs_apart(pack_path):
    pack = Pack.open(pack_path)
    digest = faces_digest(pack)
    assert digest == faces_digest(Pack.open(pack_path))
    pack.names[0] = "another.png"
    assert digest != faces_digest(pack)
