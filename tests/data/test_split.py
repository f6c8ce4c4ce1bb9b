import numpy as np
import pytest

from occlumark.data.split import held_out_whole, photo_identity, split_validation

NAMES = [f"lfpw/trainset/image_{i:04}.jpg" for i in range(2000)]


@pytest.mark.parametrize(
    ("name", "identity"),
    [
        ("helen/trainset/100032540_1.jpg", "100032540"),
        ("afw/1051618982_12.jpg", "1051618982"),
        ("ibug/image_092 _01.jpg", "image_092 "),
        ("lfpw/trainset/image_0001.jpg", "image_0001"),
        ("lfpw/trainset/image_0871.png", "image_0871"),
        ("own/crowd.jpg#2", "crowd"),
        ("own/face_1.jpg", "face_1"),
        ("afw_large_pose/afwlp_AFW_1051618982_1_11.jpg", "1051618982"),
        ("afw_large_pose/afwlp_AFW_1051618982_12_9.jpg", "1051618982"),
    ],
)
def test_identity_of_a_photo(name: str, identity: str) -> None:
    assert photo_identity(name) == identity


def test_both_parts_together_are_everything_and_the_share_is_met() -> None:
    train, validation = split_validation(NAMES, 0.1, seed=0)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, validation])), np.arange(2000))
    assert len(validation) == pytest.approx(200, abs=3 * np.sqrt(2000 * 0.1 * 0.9))


def test_order_and_company_do_not_matter() -> None:
    chosen = {NAMES[i] for i in split_validation(NAMES, 0.1, seed=3)[1]}
    shuffled = list(np.random.default_rng(0).permutation(NAMES))[:500]
    again = {shuffled[i] for i in split_validation(shuffled, 0.1, seed=3)[1]}
    assert again == chosen & set(shuffled)
    assert chosen != {NAMES[i] for i in split_validation(NAMES, 0.1, seed=4)[1]}


def test_faces_of_one_photo_stay_together() -> None:
    names = [f"afw/{1000 + i // 4}_{i % 4 + 1}.jpg" for i in range(2000)]
    _, validation = split_validation(names, 0.3, seed=0)
    assert 0 < len(validation) < 2000
    np.testing.assert_array_equal(np.bincount(validation // 4)[np.unique(validation // 4)], 4)


def test_turned_views_follow_their_photo() -> None:
    photos = [f"afw/{1000 + i}_1.jpg" for i in range(300)]
    _, alone = split_validation(photos, 0.2, seed=0)
    views = [f"afw_large_pose/afwlp_AFW_{1000 + i // 2}_1_{i}.jpg" for i in range(600)]
    _, validation = split_validation(photos + views, 0.2, seed=0)
    assert validation[validation < 300].tolist() == alone.tolist()
    assert {(i - 300) // 2 for i in validation[validation >= 300]} == set(alone.tolist())


@pytest.mark.parametrize(
    ("names", "share", "expected"),
    [
        ([f"shoot_20240115_{i:02}.jpg" for i in range(100)], 0.05, 5),  # by 300W's rule faces of one photo
        ([f"p{i}/{j}.jpg" for i in range(40) for j in range(5)], 0.05, 10),
        (["a.jpg", "b.jpg"], 0.01, 1),
        ([], 0.5, 0),
    ],
)
def test_of_photos_that_may_be_held_out_some_are(names, share, expected) -> None:
    train, validation = split_validation(names, share, seed=0)
    assert len(validation) == expected and len(train) == len(names) - expected


def test_no_share_chooses_none_and_a_bad_one_is_refused() -> None:
    assert len(split_validation(NAMES, 0, seed=0)[1]) == 0
    for share in (-0.1, 1, float("nan")):
        with pytest.raises(ValueError, match="validation share"):
            split_validation(NAMES, share, seed=0)


def test_a_group_stays_on_one_side_that_of_validation_where_one_of_it_is_chosen():
    names = [f"photo{i:03d}.jpg" for i in range(200)]
    _, alone = split_validation(names, 0.2, 0)
    other = next(i for i in range(200) if i not in alone)
    groups = [""] * 200
    groups[alone[0]] = groups[other] = "same"
    training, validation = split_validation(names, 0.2, 0, groups)
    assert sorted([*alone, other]) == validation.tolist()
    assert len(training) + len(validation) == 200


def test_wflws_siblings_follow_one_that_is_chosen_and_none_leaves_validation():
    names = [f"wflw/{i // 3}_Group_{i // 3}_100__{i % 3 + 1}.jpg" for i in range(300)]
    by_itself = {i for i, name in enumerate(names) if len(split_validation([name], 0.2, 0)[1])}
    training, validation = split_validation(names, 0.2, 0)
    assert by_itself < set(validation.tolist())
    assert {i // 3 for i in by_itself} == {i // 3 for i in validation.tolist()}
    assert not {i // 3 for i in training.tolist()} & {i // 3 for i in validation.tolist()}
    whole = held_out_whole(names, 0.2, 0).tolist()
    assert whole == [i for i in range(300) if {i // 3 * 3 + k for k in range(3)} <= by_itself]
    assert 0 < len(whole) < len(by_itself)


def test_a_group_brings_in_the_other_faces_of_its_photos():
    names = [f"photo_{i:03d}__{k}.jpg" for i in range(60) for k in (1, 2)]
    training, validation = split_validation(names, 0.2, 0)
    inside, outside = int(held_out_whole(names, 0.2, 0)[0]), int(training[0])
    groups = [""] * 120
    groups[inside] = groups[outside] = "same"
    _, more = split_validation(names, 0.2, 0, groups)
    assert set(more.tolist()) - set(validation.tolist()) == {outside, outside ^ 1}
    assert outside not in held_out_whole(names, 0.2, 0, groups)
    # runs that knew no groups trained on the other one, so this one is of a photo that they saw
    assert inside in held_out_whole(names, 0.2, 0)
    assert not {inside, outside} & set(held_out_whole(names, 0.2, 0, groups, by_groups=False).tolist())
