import numpy as np
import pytest

from occlumark.video.smoothing import LandmarkSmoother

RATE = 30.0


def smoothed(landmarks: np.ndarray, error: float) -> np.ndarray:
    """All frames (f, n, 2) through one smoother, every landmark with the same expected error."""
    smoother = LandmarkSmoother()
    errors = np.full(landmarks.shape[1], error)
    return np.stack([smoother(points, errors, i / RATE) for i, points in enumerate(landmarks)])


def jitter(landmarks: np.ndarray) -> float:
    """Root mean square step from frame to frame, the first half second left out."""
    return float(np.sqrt((np.diff(landmarks[15:], axis=0) ** 2).sum(axis=-1).mean()))


@pytest.fixture
def face(symmetric_face: np.ndarray) -> np.ndarray:
    return symmetric_face


def test_two_frames_worked_by_hand():
    """A square becomes wider and less high: no similarity brings it nearer, so each corner goes by itself."""
    square = np.array([[-50.0, -50.0], [50.0, -50.0], [50.0, 50.0], [-50.0, 50.0]])
    smoother = LandmarkSmoother()
    errors = np.full(4, 2.0)
    assert (smoother(square, errors, 5.0) == square).all()
    low_pass = 0.2 * np.pi / (1 + 0.2 * np.pi)  # 2 pi 0.1 s 1 Hz over 1 + the same
    cutoff = 1.0 + 0.3 * low_pass * (np.sqrt(2) / 0.1) / 2  # a step of (1, -1) in 0.1 s, low-passed, over 2 px
    weight = 0.2 * np.pi * cutoff / (1 + 0.2 * np.pi * cutoff)
    found = smoother(square * [1.02, 0.98], errors, 5.1)
    np.testing.assert_allclose(found, square * [1 + 0.02 * weight, 1 - 0.02 * weight], rtol=1e-12)


@pytest.mark.parametrize("share", [0.05, 0.1, 0.2])
def test_noise_within_the_expected_error_is_smoothed_away(face, share):
    """Noise of the landmarks has a standard deviation of up to a fifth of the expected error: 0.13 in real clips."""
    error = 3.0
    noisy = face + np.random.default_rng(0).normal(0, share * error, (90, 68, 2))
    assert jitter(smoothed(noisy, error)) < 0.4 * jitter(noisy)


def test_a_landmark_is_smoothed_the_more_the_less_sure_it_is(face):
    noisy = face + np.random.default_rng(0).normal(0, 0.5, (90, 68, 2))
    assert jitter(smoothed(noisy, 8.0)) < 0.6 * jitter(smoothed(noisy, 1.0))


@pytest.mark.parametrize("speed", [0.3, 1.0, 3.0, 9.0])
def test_the_lag_is_below_a_frame_and_below_a_part_of_the_error(face, speed):
    """Faces a second: who walks by at 1.4 m/s moves nine of his face's widths."""
    side = np.ptp(face, axis=0).max()
    step = speed * side / RATE
    moving = face + np.arange(45)[:, None, None] * [step, 0.0]
    error = 0.013 * side
    behind = (moving - smoothed(moving, error))[..., 0]
    assert behind.min() > -1e-9 and behind.max() < step
    assert behind[20:].max() < 0.15 * error


def test_a_head_that_turns_and_comes_nearer_is_followed(face):
    """Three degrees and two percent a frame: soon no landmark is off by a sixth of its error, a tenth of a step."""
    turns = np.deg2rad(3.0 * np.arange(30))
    linear = np.array([[np.cos(turns), np.sin(turns)], [-np.sin(turns), np.cos(turns)]]).transpose(2, 0, 1)
    moving = face @ (linear * 1.02 ** np.arange(30)[:, None, None]) + 500
    off = np.linalg.norm(moving - smoothed(moving, 3.0), axis=-1)
    assert off[5:].max() < 0.5 and off[5:].max() < 0.1 * np.linalg.norm(np.diff(moving, axis=0), axis=-1).max()


def test_a_mouth_that_opens_in_a_still_face_is_followed(face):
    """The lower lip falls by six errors in a fifth of a second: it is less than a frame behind."""
    moving = np.repeat(face[None], 30, axis=0)
    lip = [56, 57, 58]
    moving[:, lip, 1] += np.clip(np.arange(30) - 10, 0, 6)[:, None] * 3.0
    behind = moving - smoothed(moving, 3.0)
    assert 0 < behind[11:17, lip, 1].max() < 3.0


def test_without_an_expected_error_a_usual_one_is_taken(face):
    noisy = face + np.random.default_rng(0).normal(0, 0.3, (40, 68, 2))
    side = np.ptp(noisy[-1], axis=0).max()
    assert jitter(smoothed(noisy, np.nan)) == pytest.approx(jitter(smoothed(noisy, 0.013 * side)), rel=0.01)


def test_an_error_of_nothing_divides_nothing(face):
    assert np.isfinite(smoothed(np.stack([face, face, face + 1]), 0.0)).all()
