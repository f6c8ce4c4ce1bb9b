from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from occlumark.markup import REGIONS
from occlumark.metrics import landmarks as metrics

SHARED = Path(__file__).parents[3] / "shared" / "data"
needs_spiga = pytest.mark.skipif(
    not (SHARED / "predictions").is_dir(), reason="SPIGA's predictions are not in ../shared/data/predictions"
)
needs_cofw68 = pytest.mark.skipif(
    not (SHARED / "cofw68").is_dir(), reason="the COFW68 annotations are not in ../shared/data/cofw68"
)


class Cofw68(NamedTuple):
    points: np.ndarray  # (507, 68, 2)
    occluded: np.ndarray  # (507, 68) bool


@pytest.fixture(scope="module")
def cofw68() -> Cofw68:
    io = pytest.importorskip("scipy.io", reason="needs scipy (the test extra)")
    folder = SHARED / "cofw68" / "COFW68_Data" / "test_annotations"
    faces = [io.loadmat(folder / f"{i}_points.mat") for i in range(1, 508)]
    return Cofw68(np.stack([f["Points"] for f in faces]), np.stack([f["Occ"][0] for f in faces]) == 1)


def read_result(name: str) -> Cofw68:
    """A result file: per face four lines, its number from 1, 68 x, 68 y, 68 flags; not always sorted."""
    lines = [line.split() for line in (SHARED / "cofw68" / "Results" / name).read_text().splitlines()]
    lines = [line for line in lines if line]
    assert len(lines) == 4 * 507
    points, flags = np.full((507, 68, 2), np.nan), np.zeros((507, 68), bool)
    for number, x, y, flag in zip(*[iter(lines)] * 4, strict=True):
        face = int(float(number[0])) - 1
        points[face] = np.stack([np.array(x, float), np.array(y, float)], axis=1)
        flags[face] = np.array(flag, float) == 1
    return Cofw68(points, flags)


@needs_spiga
@pytest.mark.parametrize(
    ("file", "subsets", "expected"),
    [
        ("300wpublic", ("helen", "lfpw"), "2.5871"),
        ("300wpublic", ("ibug",), "4.6623"),
        ("300wpublic", (), "2.9937"),
        ("300wprivate", (), "3.4295"),
        ("cofw68", (), "3.9346"),
    ],
)
def test_spiga_published_predictions(file: str, subsets: tuple[str, ...], expected: str) -> None:
    data = np.load(SHARED / "predictions" / f"spiga_{file}.npz")
    errors = metrics.nme(data["prediction"], data["truth"], "inter_ocular")
    if subsets:
        errors = errors[np.isin(data["subset"], subsets)]
    assert f"{100 * errors.mean():.4f}" == expected


@needs_spiga
def test_spiga_on_cofw68_visible_and_occluded() -> None:
    data = np.load(SHARED / "predictions" / "spiga_cofw68.npz")
    points = metrics.point_errors(data["prediction"], data["truth"], "inter_ocular")
    errors, visible = points.mean(axis=1), data["visible"] == 1
    assert f"{100 * metrics.failure_rate(errors, 0.10):.2f}" == "0.79"
    assert f"{metrics.auc(errors, 0.10):.4f}" == "0.6070"
    assert f"{100 * points[visible].mean():.4f} / {100 * points[~visible].mean():.4f}" == "3.2624 / 6.1972"


@needs_cofw68
@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("HPM_HelenLfpw_COFW68test.txt", "6.717 6.71 18.54 0.2084 0.3438 5.642 10.334"),
        ("SAPM_COFW68.txt", "6.635 5.72 17.55 0.2167 0.3523 5.691 9.813"),
        ("CFSS_CFOW68.txt", "6.283 9.07 16.77 0.3169 0.4296 5.091 10.296"),
        ("TCDCN_CFOW68.txt", "7.655 16.17 30.77 0.1921 0.3083 6.779 10.605"),
        ("RCPR-occ_300w.txt", "8.756 20.12 31.95 0.2051 0.3143 8.020 11.233"),
    ],
)
def test_five_older_systems_on_cofw68(cofw68: Cofw68, file: str, expected: str) -> None:
    points = metrics.point_errors(read_result(file).points, cofw68.points, "inter_ocular")
    errors = points.mean(axis=1)
    came = (
        f"{100 * errors.mean():.3f} {100 * metrics.failure_rate(errors, 0.10):.2f} "
        f"{100 * metrics.failure_rate(errors, 0.08):.2f} {metrics.auc(errors, 0.08):.4f} "
        f"{metrics.auc(errors, 0.10):.4f} {100 * points[~cofw68.occluded].mean():.3f} "
        f"{100 * points[cofw68.occluded].mean():.3f}"
    )
    assert came == expected
    assert metrics.ced(errors, np.array([0.08]))[0] == pytest.approx(1 - metrics.failure_rate(errors, 0.08))


@needs_cofw68
@pytest.mark.parametrize(
    ("file", "expected"),
    [("HPM_HelenLfpw_COFW68test.txt", "80.65 / 34.06"), ("SAPM_COFW68.txt", "76.50 / 51.95")],
)
def test_occlusion_flags_on_cofw68(cofw68: Cofw68, file: str, expected: str) -> None:
    precision, recall = metrics.precision_recall(read_result(file).occluded, cofw68.occluded)
    assert f"{100 * precision:.2f} / {100 * recall:.2f}" == expected


@needs_cofw68
def test_cofw68_is_read_right(cofw68: Cofw68) -> None:
    assert cofw68.occluded.sum() == 7896 and cofw68.occluded.size == 34476
    # The jaw's is .31848, given elsewhere as .319.
    shares = {region: f"{cofw68.occluded[:, list(REGIONS[region])].mean():.3f}" for region in REGIONS}
    assert shares == {"jaw": "0.318", "brows": "0.312", "nose": "0.050", "eyes": "0.180", "mouth": "0.221"}


@needs_cofw68
def test_inter_pupil_over_inter_ocular_on_cofw68(cofw68: Cofw68) -> None:
    ratio = metrics.face_sizes(cofw68.points, "inter_ocular") / metrics.face_sizes(cofw68.points, "inter_pupil")
    assert f"{ratio.mean():.4f}" == "1.4015"


def a_face() -> np.ndarray:
    """Outer eye corners 10 apart, pupils 5 apart."""
    face = np.random.default_rng(0).uniform(0, 100, (68, 2))
    face[36:42], face[42:48] = (0.5, 0), (5.5, 0)
    face[36], face[37], face[45], face[46] = (-2, 0), (3, 0), (8, 0), (3, 0)
    return face


@pytest.mark.parametrize(
    ("normaliser", "box", "size"),
    [
        ("inter_ocular", None, 10),
        ("inter_pupil", None, 5),
        ("box_width", [[1, 2, 4, 6]], 3),
        ("box_size", [[1, 2, 4, 14]], 6),
        ("box_longer", [[1, 2, 4, 6]], 4),
        ("box_longer", [[1, 2, 6, 3]], 5),
        ("box_diagonal", [[1, 2, 4, 6]], 5),
    ],
)
def test_every_normaliser_by_hand(normaliser: metrics.Normaliser, box: list | None, size: float) -> None:
    truth = a_face()[None]
    prediction = truth + np.array([3, 4])  # 5 pixels off, each point
    prediction[0, :34] = truth[0, :34]  # half of them right
    errors = metrics.nme(prediction, truth, normaliser, None if box is None else np.array(box))
    np.testing.assert_allclose(errors, [2.5 / size])


@pytest.mark.parametrize(
    ("n", "corners", "pupils"), [(29, (8, 9), (16, 17)), (19, (6, 11), (7, 10)), (98, (60, 72), (96, 97))]
)
def test_the_eyes_of_other_markups(n: int, corners: tuple[int, int], pupils: tuple[int, int]) -> None:
    truth = np.zeros((1, n, 2))
    truth[0, corners[1]], truth[0, pupils[1]] = (30, 40), (6, 8)
    assert metrics.face_sizes(truth, "inter_ocular") == [50]
    assert metrics.face_sizes(truth, "inter_pupil") == [10]


def test_summaries_by_hand() -> None:
    errors = np.array([0.02, 0.08, 0.05, 0.20])
    assert metrics.failure_rate(errors, 0.08) == 0.25  # exactly .08 is no failure
    assert metrics.auc(errors, 0.08) == pytest.approx((0.06 + 0 + 0.03 + 0) / 4 / 0.08)
    np.testing.assert_array_equal(metrics.ced(errors, np.array([0, 0.02, 0.08, 0.1, 0.2])), [0, 0.25, 0.75, 0.75, 1])


def test_auc_is_the_area_under_the_ced() -> None:
    errors = np.random.default_rng(1).gamma(2, 0.02, 300)
    grid = np.linspace(0, 0.1, 200_001)
    shares = metrics.ced(errors, grid)
    area = ((shares[1:] + shares[:-1]) / 2 * np.diff(grid)).sum()
    assert metrics.auc(errors, 0.1) == pytest.approx(area / 0.1, abs=1e-5)


def test_the_interval_of_a_mean_is_about_two_standard_errors() -> None:
    errors = np.random.default_rng(2).normal(0.05, 0.01, 400).clip(0)
    low, high = metrics.mean_interval(errors)
    assert (low + high) / 2 == pytest.approx(errors.mean(), abs=1e-4)
    assert (high - low) / 2 == pytest.approx(1.96 * 0.01 / 20, rel=0.1)
    assert metrics.mean_interval(errors) == (low, high)
    assert metrics.mean_interval(np.array([0.03])) == pytest.approx((0.03, 0.03))


def test_a_paired_difference_by_hand() -> None:
    # Of the 8 ways to sign 1, 2, 3 two have a sum of 6 or more in size: p is 1/4.
    first = np.array([0.05, 0.07, 0.09])
    came = metrics.paired_difference(first, first + np.array([0.01, 0.02, 0.03]))
    assert came.mean == pytest.approx(-0.02)
    assert came.p == pytest.approx(0.25, abs=0.015)
    assert -0.03 <= came.low < -0.02 < came.high <= -0.01
    assert metrics.paired_difference(first, first + np.array([0.01, 0.02, 0.03])) == came


def test_models_that_do_not_differ_and_models_that_do() -> None:
    rng = np.random.default_rng(3)
    errors = rng.gamma(4, 0.01, 200)
    assert metrics.paired_difference(errors, errors) == (0, 0, 0, 1)
    same = metrics.paired_difference(errors, errors + rng.normal(0, 0.01, 200))
    assert same.low < 0 < same.high and same.p > 0.05
    # A quarter of the standard error between faces, yet every face is worse by about as much.
    worse = metrics.paired_difference(errors + rng.normal(0.001, 0.001, 200), errors)
    assert 0 < worse.low < 0.001 < worse.high and worse.p == 1 / 10_001


def test_a_comparison_of_different_faces_is_refused() -> None:
    with pytest.raises(ValueError, match="the same faces, not on 2 and 1"):
        metrics.paired_difference(np.ones(2), np.ones(1))


def test_flags_by_hand() -> None:
    flagged, occluded = np.array([1, 1, 1, 0, 0]), np.array([1, 0, 1, 1, 0])
    assert metrics.precision_recall(flagged, occluded) == (2 / 3, 2 / 3)
    assert metrics.precision_recall(np.zeros(5), occluded) == (1.0, 0.0)
    with pytest.raises(ValueError, match="at least one occluded"):
        metrics.precision_recall(flagged, np.zeros(5))


FACES = np.stack([a_face(), a_face()])
BOX = np.array([[0, 0, 1, 1], [0, 0, 1, 1]])
TWO_IN_ONE = FACES.copy()
TWO_IN_ONE[1, 36] = TWO_IN_ONE[1, 45]


@pytest.mark.parametrize(
    ("prediction", "truth", "normaliser", "box", "message"),
    [
        (FACES[:1], FACES, "inter_ocular", None, r"both \(n, k, 2\)"),
        (FACES[0], FACES[0], "inter_ocular", None, r"both \(n, k, 2\)"),
        (FACES * np.nan, FACES, "inter_ocular", None, "finite"),
        (FACES, FACES, "box_width", None, "a box is given with"),
        (FACES, FACES, "inter_ocular", BOX, "a box is given with"),
        (FACES, FACES, "box_width", BOX[:1], r"box is \(2, 4\)"),
        (FACES, FACES, "box_width", BOX[:, ::-1], "face 0 has no box_width size"),
        (FACES, FACES, "box_size", BOX[:, ::-1], "face 0 has no box_size size"),
        (FACES, FACES, "box_longer", BOX[:, [2, 1, 0, 3]], "face 0 has no box_longer size"),
        (FACES, FACES, "box_diagonal", BOX[:, ::-1], "face 0 has no box_diagonal size"),
        (FACES, TWO_IN_ONE, "inter_ocular", None, "face 1 has no inter_ocular size"),
        (FACES[:, :30], FACES[:, :30], "inter_ocular", None, "for 68, 29, 19, 98, 5 landmarks, not 30"),
        (FACES, FACES, "diagonal", None, "one of inter_ocular, inter_pupil, box_width, box_size"),
    ],
)
def test_nothing_is_guessed(
    prediction: np.ndarray, truth: np.ndarray, normaliser: str, box: np.ndarray | None, message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        metrics.nme(prediction, truth, normaliser, box)  # type: ignore[arg-type]


@pytest.mark.parametrize("errors", [[], [0.1, np.nan], [[0.1]]])
def test_summaries_of_nothing_are_refused(errors: list) -> None:
    for summary in (
        lambda: metrics.failure_rate(np.array(errors), 0.1),
        lambda: metrics.auc(np.array(errors), 0.1),
        lambda: metrics.ced(np.array(errors), np.array([0.1])),
        lambda: metrics.mean_interval(np.array(errors)),
    ):
        with pytest.raises(ValueError, match="at least one finite number"):
            summary()
    with pytest.raises(ValueError, match="above 0"):
        metrics.auc(np.array([0.1]), 0)


def test_landmarks_that_are_not_annotated_count_for_nothing() -> None:
    """By hand, over a box 10 wide: 3-4-5 off at one point, 6-8-10 at the other; the second face has the first alone."""
    truth = np.array([[[0, 0], [10, 0]], [[0, 0], [np.nan, np.nan]]], float)
    prediction = np.array([[[3, 4], [16, 8]], [[3, 4], [99, 99]]], float)
    box = np.array([[0, 0, 10, 20]] * 2, float)
    np.testing.assert_array_equal(metrics.point_errors(prediction, truth, "box_width", box), [[0.5, 1], [0.5, np.nan]])
    np.testing.assert_allclose(metrics.nme(prediction, truth, "box_width", box), [0.75, 0.5])
    np.testing.assert_allclose(metrics.nme_over(prediction, truth, np.array([10.0, 5.0])), [0.75, 1])


def test_a_face_without_an_annotated_landmark_or_with_an_unknown_prediction_is_refused() -> None:
    truth, box = np.zeros((2, 3, 2)), np.array([[0, 0, 1, 1]] * 2)
    prediction = np.full_like(truth, np.nan)
    with pytest.raises(ValueError, match="finite"):
        metrics.nme(prediction, truth, "box_width", box)
    truth[1] = np.nan
    with pytest.raises(ValueError, match="face 1 has no annotated landmark"):
        metrics.nme(np.zeros_like(truth), truth, "box_width", box)
    with pytest.raises(ValueError, match="one a face and above 0"):
        metrics.nme_over(np.zeros((2, 3, 2)), np.zeros((2, 3, 2)), np.array([1.0, 0.0]))


def test_a_face_without_its_eye_corners_has_no_inter_ocular_size() -> None:
    truth = np.zeros((1, 68, 2))
    truth[0, 36] = np.nan
    with pytest.raises(ValueError, match="face 0 has no inter_ocular size"):
        metrics.nme(np.zeros((1, 68, 2)), truth, "inter_ocular")
