"""Batches of a pack: the mean face and the validation crops, worked out another way."""

from dataclasses import replace
from typing import get_args

import cv2
import numpy as np
import pytest

from occlumark.crop import CropConfig, CropTransform
from occlumark.data.augment import AugmentConfig, NoFaceConfig, SceneFacesConfig, SimilarityConfig
from occlumark.data.pack import BY_NETWORK, OCCLUDED, UNKNOWN, VISIBLE, Pack, PackConfig, write_pack
from occlumark.data.sample import Sample
from occlumark.markup import MARKUPS
from occlumark.occluders.kinds import TRAINING
from occlumark.occluders.occlude import WITHOUT_LANDMARKS, Kind, OccludeConfig, occlude
from occlumark.occluders.simple import DRAW
from occlumark.train.checkpoint import is_same_data
from occlumark.train.config import LandmarkConfig
from occlumark.train.face_dataset import (
    TrainingFaces,
    faces_digest,
    landmark_occlusion,
    map_occlusion,
    mean_face,
    validation_batches,
)
from occlumark.train.landmark_task import LandmarkTask

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


def _alpha(value: float) -> np.ndarray:
    """A drawn occluder over the left half of a crop of 64 pixels."""
    alpha = np.zeros((64, 64), np.float32)
    alpha[:, :32] = value
    return alpha


POINTS = np.array([(10.0, 10), (40.0, 10), (40.0, 40), (50.0, 50), (90.0, 10), (np.nan, np.nan)])
KNOWN = np.array([VISIBLE, VISIBLE, OCCLUDED, UNKNOWN, VISIBLE, VISIBLE])


@pytest.mark.parametrize(("opacity", "first"), [(0.9, 1.0), (0.5, np.nan), (0.1, 0.0)])
def test_a_landmark_is_occluded_by_what_is_drawn_or_real_visible_or_unknown(opacity, first):
    states = landmark_occlusion(KNOWN, _alpha(opacity), POINTS)
    np.testing.assert_array_equal(states, [first, 0, 1, np.nan, np.nan, np.nan])


def test_a_drawn_occluder_hides_a_landmark_that_was_unknown():
    np.testing.assert_array_equal(landmark_occlusion(np.array([UNKNOWN]), _alpha(1.0), POINTS[:1]), [1])


def test_the_map_knows_what_is_drawn_near_it_and_about_known_landmarks():
    points = np.array([(60.0, 4), (60.0, 60), (60.0, 32)])
    states = np.array([0.0, 1.0, np.nan], np.float32)  # visible, occluded, unknown
    alpha = np.zeros((64, 64), np.float32)
    alpha[:, :8] = 1  # the first column of cells
    cells = map_occlusion(states, alpha, points)
    assert cells.shape == (8, 8) and (cells[:, 0] == 1).all() and (cells[:, 1:4] == 0).all()
    assert np.isnan(cells[:, 4:6]).all()  # neither near what is drawn nor about a landmark
    assert (cells[:2, 6:] == 0).all() and cells[7, 7] == 1 and np.isnan(cells[3:5, 6:]).all()
    assert np.isnan(cells[6:, 6]).all()


def test_a_share_of_the_crops_shows_no_face(pack_path, tmp_path):
    np.save(tmp_path / "background.npy", np.full((2, 96, 96, 3), 7, np.uint8))
    config = AugmentConfig(no_face=NoFaceConfig(share=0.5, background=str(tmp_path / "background.npy")))
    pack = Pack.open(pack_path)
    faces = TrainingFaces(pack, np.arange(len(pack)), CROP, config, 0, 0)
    batches = [faces[i] for i in range(len(pack))]
    none = [batch for batch in batches if batch.presence == 0]
    assert 5 <= len(none) <= 19
    for batch in none:
        assert batch.crops.shape == (64, 64, 3) and batch.landmarks.shape == (68, 2)
        assert batch.landmarks.isnan().all() and batch.occluded.isnan().all() and batch.occlusion.isnan().all()
    assert all(batch.landmarks.isfinite().all() for batch in batches if batch.presence == 1)
    assert all((faces[i].crops == batches[i].crops).all() for i in range(3))  # again the same


def test_a_share_of_the_crops_shows_faces_of_scenes_and_takes_none_from_those_without(pack_path, tmp_path):
    for name, value in (("background", 7), ("faces", 200)):
        np.save(tmp_path / f"{name}.npy", np.full((2, 96, 96, 3), value, np.uint8))
    plain = AugmentConfig(no_face=NoFaceConfig(share=0.4, background=str(tmp_path / "background.npy")))
    both = replace(plain, scene_faces=SceneFacesConfig(share=0.3, crops=str(tmp_path / "faces.npy")))
    pack = Pack.open(pack_path)
    first, second = (TrainingFaces(pack, np.arange(len(pack)), CROP, config, 0, 0) for config in (plain, both))
    scenes = 0
    for i in range(len(pack)):
        before, after = first[i], second[i]
        if after.presence == 0 or before.presence == 0:
            assert before.presence == after.presence and (before.crops == after.crops).all()
        elif after.landmarks.isnan().all():
            scenes += 1
            assert after.occluded.isnan().all() and after.occlusion.isnan().all()
            assert after.crops[16:48, 16:48].float().std() < 60  # one colour, but for blur and noise
        else:
            assert (before.crops == after.crops).all()
    assert 2 <= scenes <= 14
    with pytest.raises(ValueError, match="file of them in 'crops'"):
        SceneFacesConfig(share=0.3)


def test_places_that_are_not_exact_train_no_landmark_but_tell_occlusion(pack_path, tmp_path):
    pack = Pack.open(pack_path)
    exact, occlusion = np.ones((len(pack), 68), np.uint8), np.zeros((len(pack), 68), np.uint8)
    exact[0, :30], occlusion[0, 40:] = 0, OCCLUDED
    labelled = replace(pack, exact=exact, occlusion=occlusion)
    config = AugmentConfig(geometry=SimilarityConfig(mirror=1.0), occlude=OccludeConfig(probability=0))
    batch = TrainingFaces(labelled, np.arange(1), CROP, config, 0, 0)[0]
    mirror = np.asarray(MARKUPS[68].mirror)
    np.testing.assert_array_equal(batch.landmarks.isnan().any(1).numpy(), mirror < 30)
    known = batch.occluded.isfinite().numpy()
    np.testing.assert_array_equal(batch.occluded.numpy()[known], (mirror >= 40)[known])
    assert known.sum() > 40


def test_without_real_labels_training_is_told_nothing_and_validation_all(pack_path, tmp_path):
    from occlumark.data.pack import PackConfig, write_pack
    from occlumark.data.sample import Sample
    from occlumark.train.config import LandmarkConfig, LandmarkOptimiserConfig
    from occlumark.train.distributed import DistributedContext
    from occlumark.train.landmark_task import LandmarkTask

    rng, occluded = np.random.default_rng(0), np.arange(68) < 20
    photo = pack_path.parent / "face0.png"
    samples = [
        Sample(f"photo{i:03d}.png", photo, points, None, occluded, inexact=np.full(68, i % 2 > 0))
        for i, points in enumerate(rng.uniform(20, 100, (40, 68, 2)))
    ]
    path = tmp_path / "labelled.pack"
    write_pack(samples, path, PackConfig(size=96, extent=1.9))
    config = LandmarkConfig(
        workers=0,
        validation_share=0.2,
        visibility_only=1.0,
        crop=CROP,
        optimiser=LandmarkOptimiserConfig(batch=8),
        augment=AugmentConfig(occlude=OccludeConfig(probability=0)),
    )
    told = LandmarkTask(config, path)
    untold = LandmarkTask(replace(config, real_labels=False), path)
    assert told.training_size == len(told.training) and untold.training_size < told.training_size
    np.testing.assert_array_equal(told.labelled, untold.labelled)
    assert len(untold.labelled) and (untold.pack.occlusion[untold.labelled] != UNKNOWN).all()
    with DistributedContext.join("cpu") as context:
        for task, share in ((told, 20 / 68), (untold, 0)):
            batch = next(iter(task.batches(0, context)))
            inside = ((batch.landmarks >= 0) & (batch.landmarks < 64)).all(-1)
            known = batch.occluded[inside].isfinite()
            assert known.all() if share else not known.any()


def test_faces_labelled_by_a_network_all_train_and_none_validates(pack_path, tmp_path):
    pack = Pack.open(pack_path)
    config = LandmarkConfig(crop=CROP, validation_share=0.4, visibility_only=0.0)
    plain = LandmarkTask(config, pack_path)
    chosen = [int(plain.validation[0]), int(plain.training[0])]
    exact = pack.exact.copy()
    exact[chosen] = BY_NETWORK
    whole = pack_path.read_bytes()
    assert whole.count(pack.exact.tobytes()) == 1
    altered = tmp_path / "faces.pack"
    altered.write_bytes(whole.replace(pack.exact.tobytes(), exact.tobytes()))
    task = LandmarkTask(config, altered)
    assert set(task.training) == {*plain.training, chosen[0]} and task.training_size == len(task.training)
    assert set(task.validation) == set(plain.validation) - {chosen[0]}
    batch = TrainingFaces(Pack.open(altered), task.training, CROP, AugmentConfig(), 0, 0)[0]
    assert batch.landmarks.isfinite().all()


def _altered(pack_path, place, **arrays):
    """The pack with other values in some of its arrays."""
    pack, content = Pack.open(pack_path), pack_path.read_bytes()
    for name, value in arrays.items():
        before = getattr(pack, name).tobytes()
        assert content.count(before) == 1
        content = content.replace(before, value.tobytes())
    place.write_bytes(content)
    return place


def test_a_face_of_a_networks_is_left_out_where_another_of_its_photo_judges(tmp_path):
    photo = np.full((120, 120, 3), 90, np.uint8)
    points = np.random.default_rng(0).uniform(30, 90, (68, 2))
    samples = []
    for i in range(40):
        cv2.imwrite(str(tmp_path / f"{i}.png"), photo)
        for number, by_network in ((1, False), (2, True)):
            name = f"{i}.png#{number}"
            samples.append(Sample(name, tmp_path / f"{i}.png", points, None, labelled_by_network=by_network))
    write_pack(samples, tmp_path / "faces.pack", PackConfig(size=96, extent=1.9))
    task = LandmarkTask(LandmarkConfig(crop=CROP, validation_share=0.3), tmp_path / "faces.pack")
    names = np.array(task.pack.names)
    judged = {name.partition("#")[0] for name in names[task.validation]}
    assert judged and not judged & {name.partition("#")[0] for name in names[task.training]}


def test_places_that_are_too_rough_judge_no_run(pack_path, tmp_path):
    pack = Pack.open(pack_path)
    config = LandmarkConfig(crop=CROP, validation_share=0.4)
    plain = LandmarkTask(config, pack_path)
    exact = pack.exact.copy()
    exact[plain.validation[0]] = 0
    task = LandmarkTask(config, _altered(pack_path, tmp_path / "faces.pack", exact=exact))
    assert list(task.validation) == list(plain.validation[1:])


def test_the_digest_names_labels_and_an_older_one_is_known(pack_path, tmp_path):
    pack = Pack.open(pack_path)
    occlusion = pack.occlusion.copy()
    occlusion[0] = OCCLUDED if occlusion[0, 0] != OCCLUDED else VISIBLE
    digest, other = (faces_digest(each) for each in (pack, replace(pack, occlusion=occlusion)))
    assert not is_same_data(digest, other) and is_same_data(digest, digest)
    older = digest.partition(":")[0]
    assert is_same_data(older, digest) and not is_same_data("another", digest)


def test_a_face_of_unknown_points_gets_no_occluder_that_is_drawn_from_them(pack_path):
    pack = Pack.open(pack_path)
    landmarks = np.array(pack.landmarks)
    landmarks[3, 36] = np.nan
    crop = np.full((96, 96, 3), 90, np.uint8)
    for kind in get_args(Kind):
        if kind in TRAINING or kind in WITHOUT_LANDMARKS or kind in DRAW:
            config = OccludeConfig(probability=1, kinds=(kind,))
            composed, alpha = occlude(crop, landmarks[3], config, np.random.default_rng(0))
            assert (alpha.max() > 0) == (kind in WITHOUT_LANDMARKS) and composed.shape == crop.shape
    known = TrainingFaces(replace(pack, landmarks=landmarks), np.array([3]), CROP, AugmentConfig(), 0, 0)
    assert len(known._others(3).faces) == 0


def test_occluders_borrow_from_two_faces_that_are_read_when_asked_for(pack_path, monkeypatch):
    pack = Pack.open(pack_path)
    read = []
    monkeypatch.setattr(
        type(pack.crops), "__getitem__", lambda _self, index: read.append(index) or np.zeros((96, 96, 3))
    )
    source = TrainingFaces(pack, np.arange(24), CROP, AugmentConfig(), 0, 0)._others(3)
    assert len(source.faces) == len(source.textures) == 2 and read == []
    crop, landmarks = source.faces[1]
    assert crop.shape == (96, 96, 3) and len(read) == 1
    np.testing.assert_array_equal(landmarks, pack.landmarks[read[0]])
    assert len(list(source.textures)) == 2
