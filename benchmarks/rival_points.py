"""MediaPipe's face mesh as 68 points, and how far its points can be brought to 300W's without a new network.

The mesh's vertices lie on a 3D face: those of the jaw follow its edge in space, where 300W's follow the contour that is
seen, and those of brows and nose are its modellers' choice. So an error in 68 points has a part that is a difference
of definition. Adaptation takes what can be taken of it by moving points, fitted on training photos.
"""

from typing import NamedTuple

import numpy as np

#: Vertex of the mesh (468 or 478) for each of the 68 points: the list that goes round in public code, of which none
#: is official. Its outer nose points, 75 and 305, lie on the nostrils, for one.
MESH_TO_68: np.ndarray = np.array(
    [
        *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),  # jaw
        *(71, 63, 105, 66, 107),  # right brow
        *(336, 296, 334, 293, 301),  # left brow
        *(168, 197, 5, 4),  # ridge of the nose
        *(75, 97, 2, 326, 305),  # below the nose
        *(33, 160, 158, 133, 153, 144),  # right eye
        *(362, 385, 387, 263, 373, 380),  # left eye
        *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),  # outer lips
        *(78, 82, 13, 312, 308, 317, 14, 87),  # inner lips
    ]
)
MESH_TO_68.flags.writeable = False
#: The 51 points without the jaw.
INNER = slice(17, 68)
_RIGHT_EYE, _LEFT_EYE = slice(36, 42), slice(42, 48)


class Frame(NamedTuple):
    """A face's own coordinates, made from its predicted points alone."""

    centre: np.ndarray
    """(2,) mean of the inner points, pixels."""
    axes: np.ndarray
    """(2, 2): the first row is the direction from eye to eye times the unit, the second that turned a quarter, down."""

    @classmethod
    def of(cls, landmarks: np.ndarray) -> "Frame":
        """The frame of a face (68, 2); its unit is the root mean square distance of the inner points from their mean.

        Raises:
            ValueError: the eyes are at one place.
        """
        inner = landmarks[INNER]
        centre = inner.mean(axis=0)
        unit = np.sqrt(((inner - centre) ** 2).sum(axis=1).mean())
        along = landmarks[_LEFT_EYE].mean(axis=0) - landmarks[_RIGHT_EYE].mean(axis=0)
        if not np.hypot(*along) > 0:
            raise ValueError("both eyes are at one place, which gives a face no direction")
        x, y = unit * along / np.hypot(*along)
        return cls(centre, np.array([[x, y], [-y, x]]))

    def to_face(self, points: np.ndarray) -> np.ndarray:
        """(n, 2) pixels to the face's coordinates."""
        return (points - self.centre) @ np.linalg.inv(self.axes)

    def to_photo(self, points: np.ndarray) -> np.ndarray:
        """(n, 2) of the face's coordinates to pixels."""
        return points @ self.axes + self.centre


class Adaptation(NamedTuple):
    """What is added to predicted points, in the face's own coordinates: an offset of each, and a linear map of all."""

    mean: np.ndarray
    """(136,) mean of the predictions."""
    offset: np.ndarray
    """(136,) mean of truth - prediction."""
    matrix: np.ndarray
    """(136, 136): prediction - mean, times this, is added as well; zeros for an offset alone."""

    @classmethod
    def fit(cls, predictions: np.ndarray, truths: np.ndarray, ridge: float | None) -> "Adaptation":
        """Least squares over training faces.

        Args:
            predictions: (n, 68, 2) pixels.
            truths: the same of annotated points.
            ridge: None: an offset of each point. Else a linear map as well, with so much times the squared weights
                added to the mean squared error.
        """
        frames = [Frame.of(prediction) for prediction in predictions]
        inputs, targets = (
            np.stack([frame.to_face(points).ravel() for frame, points in zip(frames, of, strict=True)])
            for of in (predictions, truths)
        )
        mean, offset = inputs.mean(axis=0), (targets - inputs).mean(axis=0)
        matrix = np.zeros((mean.size, mean.size))
        if ridge is not None:
            varied, left = inputs - mean, targets - inputs - offset
            matrix = np.linalg.solve(varied.T @ varied + ridge * len(varied) * np.eye(mean.size), varied.T @ left)
        return cls(mean, offset, matrix)

    def __call__(self, landmarks: np.ndarray) -> np.ndarray:
        """(68, 2) predicted points, moved; pixels."""
        frame = Frame.of(landmarks)
        points = frame.to_face(landmarks).ravel()
        return frame.to_photo((points + self.offset + (points - self.mean) @ self.matrix).reshape(-1, 2))
