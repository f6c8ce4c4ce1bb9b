"""Landmarks that do not tremble: a One-Euro filter per landmark whose unit of speed is the landmark's expected error.

Not in the paper, which knows single photos. The filter: Casiez, Roussel, Vogel, "1 Euro Filter", CHI 2012. Beside it
the head's own motion, which all landmarks share and which is therefore known better than any one landmark, is followed
at once: else every landmark of a moving head lags to the same side.
"""

import numpy as np

from occlumark.face.align import similarity

# These are fitted by studies/fit_smoothing.py, on photos that no network was trained on.
# Of a landmark that stands still: the lower, the smoother.
_MIN_CUTOFF_HZ = 1.0
# Of the speed that the cutoff follows; the filter's authors' choice.
_SPEED_CUTOFF_HZ = 1.0
# How much a speed of one expected error per second raises the cutoff, Hz.
_BETA = 0.3
# A step that all landmarks share, in expected errors, which is followed by half; a smaller one is mostly noise.
_HALF_FOLLOWED = 0.1
# An expected error is at least so much of the face's longer side, and taken for so much where none is predicted.
_LEAST_ERROR, _USUAL_ERROR = 0.003, 0.013


class LandmarkSmoother:
    """The filter of one face; called with each frame's landmarks in turn.

    A landmark at rest is averaged over about a sixth of a second. One that moves by more than its expected error is
    followed: what looks like motion within that error is noise, and motion beyond it is not.
    """

    def __init__(self) -> None:
        self._time = 0.0
        self._raw: np.ndarray | None = None
        self._smoothed = self._speed = np.zeros((0, 2))

    def __call__(self, landmarks: np.ndarray, expected_error: np.ndarray, time: float) -> np.ndarray:
        """Smooth the landmarks of the next frame.

        Args:
            landmarks: (n, 2) as predicted, not all in one place.
            expected_error: (n,) in the landmarks' unit, at least 0, or all NaN.
            time: of the frame, seconds, after the last frame's.

        Returns:
            (n, 2); in the first frame the landmarks themselves.
        """
        if self._raw is None:
            self._smoothed, self._speed = landmarks, np.zeros_like(landmarks)
        else:
            passed = time - self._time
            side = np.ptp(landmarks, axis=0).max()
            noise = np.nan_to_num(expected_error, nan=_USUAL_ERROR * side).clip(_LEAST_ERROR * side)
            motion = similarity(self._raw, landmarks)
            linear, shift = motion[:, :2].T, motion[:, 2]
            shared = self._raw @ linear + shift - self._raw
            size = np.linalg.norm(shared, axis=1).mean() / noise.mean()
            followed = size**2 / (size**2 + _HALF_FOLLOWED**2)
            before = self._smoothed + followed * (self._smoothed @ linear + shift - self._smoothed)
            speed = (landmarks - self._raw - followed * shared) / passed
            self._speed = self._speed + _weight(_SPEED_CUTOFF_HZ, passed) * (speed - self._speed)
            cutoff = _MIN_CUTOFF_HZ + _BETA * np.linalg.norm(self._speed, axis=1) / noise
            self._smoothed = before + _weight(cutoff, passed)[:, None] * (landmarks - before)
        self._raw, self._time = landmarks, time
        return self._smoothed


def _weight(cutoff_hz: np.ndarray | float, passed: float) -> np.ndarray:
    """Of the newest value in a low-pass filter of first order, 0..1."""
    turns = 2 * np.pi * passed * np.asarray(cutoff_hz)
    return turns / (1 + turns)
