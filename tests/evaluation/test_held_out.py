from occlumark.data.split import split_validation
from occlumark.data.w300 import read_w300
from occlumark.evaluation.held_out import HELD_OUT, VALIDATION_SEED, held_out_photos


def test_what_is_held_out_is_no_photo_of_training(shared):
    """By another way: training takes what split_validation gives it, with the share of each run's configuration."""
    folders = [shared / "data/300w/afw", shared / "data/300w/lfpw/trainset"]
    names = [sample.name for sample in read_w300(folders)[0]]
    unseen, validation = (
        [sample.name for sample in held_out_photos(folders, part)] for part in ("unseen", "validation")
    )
    for share, held in ((HELD_OUT["unseen"], unseen), (HELD_OUT["validation"], validation)):
        trained = {names[i] for i in split_validation(names, share, VALIDATION_SEED)[0]}
        assert held and not trained & set(held)
        assert 0.5 * share < len(held) / len(names) < 1.5 * share
    assert set(unseen) < set(validation)
    assert validation == [name for name in names if name in set(validation)]
