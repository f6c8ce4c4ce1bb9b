"""A face as it is returned: where it is, its landmarks, what of it is hidden."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from occlumark.config import shown
from occlumark.crop import CropTransform
from occlumark.errors import AnnotationError
from occlumark.face.align import Layout, arcface_crop, five_points, upright_crop
from occlumark.face.occlusion_map import laid_on, map_of_text, map_to_text, values_at
from occlumark.face.openness import eye_openness, mouth_openness
from occlumark.face.pose import HeadPose, head_pose
from occlumark.markup import MARKUPS, Markup, markup_for

#: Landmarks with a visibility below are taken for hidden where the caller says nothing else.
HIDDEN_BELOW = 0.5


@dataclass(frozen=True, eq=False, repr=False)
class Face:
    """One face of a photo. All arrays are read-only; all coordinates are photo pixels.

    Raises:
        ValueError: a value of another shape, not finite or out of its range.

    Example:
        >>> import json
        >>> from occlumark import Detector, Face
        >>> (face,) = Detector().detect("portrait.jpg")
        >>> face
        Face(box [...], score 0..., ... of 68 landmarks hidden, expected error ... px)
        >>> face.landmarks[face.markup.regions["mouth"]].shape, face.visibility.shape
        ((20, 2), (68,))
        >>> [round(float(share), 1) for share in face.hidden_regions().values()]  # jaw (hair), brows, nose, eyes, mouth
        [0.1, 0.0, 0.0, 0.0, 0.0]
        >>> text = json.dumps(face.to_json())
        >>> Face.from_json(json.loads(text))
        Face(box [...], score 0..., ... of 68 landmarks hidden, expected error ... px)
    """

    box: np.ndarray
    """(4,) x0, y0, x1, y1: the box the face was found by."""
    score: float
    """How sure the face finder is, 0..1; 1 for a box given by the caller."""
    landmarks: np.ndarray
    """(n, 2): the markup's, 68 of the networks in the package."""
    visibility: np.ndarray
    """(n,) 0..1. What it means is the model's: `occlumark` gives the probability that the landmark shows; `odn` gives
    the paper's P there, which was not trained on occlusion and does not show it (docs/experiments/occlusion.md,
    "What P knows of occlusion")."""
    occlusion_map: np.ndarray
    """(h, w) 0..1, high where the face is occluded, over the whole crop."""
    crop: CropTransform
    """The crop the network saw; it carries the occlusion map to the photo."""
    expected_error: np.ndarray = field(default_factory=lambda: np.array(np.nan))
    """(n,) how far each landmark is expected to be from its true place, photo pixels, at least 0; all NaN where the
    model predicts none, as `odn` does."""
    presence: float = math.nan
    """How likely there is a face in the crop at all, 0..1; NaN where the model does not tell, as `odn`. Faces of the
    face finder's with a low one are dropped; a box of the caller's keeps its face."""
    markup: Markup = field(default=None)  # type: ignore[assignment] # __post_init__ puts one
    """Which landmark is which; where none is given, the package's of so many."""

    def __post_init__(self) -> None:
        n = len(np.atleast_1d(self.landmarks))
        object.__setattr__(self, "markup", markup_for(n, self.markup))
        for name in ("box", "landmarks", "visibility", "occlusion_map", "expected_error"):
            values = np.array(getattr(self, name), dtype=np.float64)
            if name == "expected_error" and values.ndim == 0:
                values = np.full(n, values)
            _check(name, values, n)
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        if not 0 <= self.score <= 1:
            raise ValueError(f"score is in 0..1, not {self.score}")
        object.__setattr__(self, "score", float(self.score))  # JSON takes no number of NumPy's
        if not (0 <= self.presence <= 1 or math.isnan(self.presence)):
            raise ValueError(f"presence is in 0..1 or NaN, not {self.presence}")
        object.__setattr__(self, "presence", float(self.presence))

    def __reduce__(self) -> tuple[Any, ...]:
        return Face, tuple(
            getattr(self, each.name) for each in fields(self)
        )  # made anew, so that a copy is read-only too

    def __repr__(self) -> str:
        box = " ".join(f"{value:.1f}" for value in self.box)
        error = f", expected error {self.expected_error.mean():.1f} px" if self.has_expected_error else ""
        hidden = f"{int(self.hidden().sum())} of {len(self.landmarks)} landmarks hidden"
        return f"Face(box [{box}], score {self.score:.2f}, {hidden}{error})"

    def hidden(self, below: float = HIDDEN_BELOW) -> np.ndarray:
        """Which landmarks are hidden.

        Args:
            below: the visibility under which a landmark counts as hidden, 0..1.

        Returns:
            (n,) bool.
        """
        return self.visibility < below

    def hidden_regions(self, below: float = HIDDEN_BELOW) -> dict[str, float]:
        """How much of each region of the face is hidden.

        Args:
            below: the visibility under which a landmark counts as hidden, 0..1.

        Returns:
            The markup's regions (jaw, brows, nose, eyes, mouth), each with the share of its landmarks that
            are hidden, 0..1.
        """
        hidden = self.hidden(below)
        return {name: float(hidden[list(indices)].mean()) for name, indices in self.markup.regions.items()}

    @property
    def five_points(self) -> np.ndarray:
        """(5, 2) right and left pupil, nose tip, right and left corner of the mouth, as the person has them."""
        return five_points(self.landmarks, self.markup)

    @property
    def pose(self) -> HeadPose:
        """How the head is turned, yaw, pitch and roll in degrees (pose.HeadPose), from the visible landmarks."""
        return head_pose(self.landmarks, self.visibility, self.markup)

    @property
    def eye_openness(self) -> np.ndarray:
        """(2,) of the right and the left eye: lids' distance over the eye's width; NaN where the markup has no lids."""
        return eye_openness(self.landmarks, self.markup)

    @property
    def mouth_openness(self) -> float:
        """Distance of the lips over the mouth's width, 0 where it is shut; NaN where the markup has no inner lips."""
        return mouth_openness(self.landmarks, self.markup)

    def align(self, size: int = 112, layout: Layout = "arcface", *, scale: float = 1.3) -> CropTransform:
        """The face upright, in a square of its own: `face.align(112).cut(photo)` is the picture.

        Args:
            size: side of the square, pixels.
            layout: "arcface" brings the five points to where ArcFace and its kin have them; "upright" turns the
                landmarks' box upright and puts it into the middle.
            scale: with "upright", side of the square over the longer side of the box.

        Returns:
            The transform: to_crop moves points of the photo into the square, to_photo back, cut makes the picture.

        Raises:
            ValueError: there is no such layout, size is below 1, scale is not above 0.
        """
        if layout == "arcface":
            return arcface_crop(self.five_points, size)
        if layout == "upright":
            return upright_crop(self.landmarks, self.pose.roll_deg, size, scale)
        raise ValueError(f"layout is 'arcface' or 'upright', not {layout!r}")

    @property
    def roll(self) -> float:
        """By how much the face is turned in the photo, clockwise as seen, -180..180 degrees: that of `pose`."""
        return self.pose.roll_deg

    def scaled(self, factor: float) -> "Face":
        """The same face in the photo with its sides so many times as long."""
        crop = CropTransform(self.crop.matrix / [factor, factor, 1], self.crop.size)
        places = {name: getattr(self, name) * factor for name in ("box", "landmarks", "expected_error")}
        return replace(self, crop=crop, **places)

    @property
    def has_expected_error(self) -> bool:
        """Whether expected_error holds numbers."""
        return not np.isnan(self.expected_error).any()

    def occlusion_at(self, points: np.ndarray) -> np.ndarray:
        """How hidden the face is at points of the photo, bilinear in the occlusion map.

        Args:
            points: (..., 2), photo pixels.

        Returns:
            (...,) 0..1; NaN outside the crop, which the network did not see, and where a point is NaN.
        """
        return values_at(self.occlusion_map, self.crop, points)

    def occlusion_on(self, height: int, width: int) -> np.ndarray:
        """The occlusion map laid on the photo.

        Args:
            height: the photo's.
            width: the photo's.

        Returns:
            (height, width) float32, 0..1; NaN outside the crop.
        """
        return laid_on(self.occlusion_map, self.crop, height, width)

    def to_json(self) -> dict[str, Any]:
        """The face as plain numbers and lists, for `json.dumps`: less than 6 kB, named as the fields are.

        Pixels are rounded to 0.01, shares to 0.001; visibility is rounded down, so that a landmark hidden here is
        hidden there. `hidden_regions` is hidden_regions(); an expected error that the model does not predict is null.
        `markup` names one that is not the package's of so many landmarks; other faces have no such key.
        `occlusion_map` is one string, "ROWSxCOLUMNS:" and the base64 of a byte a cell, row by row, 255 where it is 1.
        """
        own = {} if self.markup == MARKUPS.get(len(self.landmarks)) else {"markup": self.markup.name}
        return own | {
            "box": self.box.round(2).tolist(),
            "score": round(self.score, 3),
            "landmarks": self.landmarks.round(2).tolist(),
            # What was rounded down before stays as it is: 0.57 * 1000 is a little less than 570.
            "visibility": [math.floor(value * 1000 + 1e-6) / 1000 for value in self.visibility.tolist()],
            "hidden_regions": {name: round(share, 3) for name, share in self.hidden_regions().items()},
            "expected_error": self.expected_error.round(2).tolist() if self.has_expected_error else None,
            "presence": None if math.isnan(self.presence) else round(self.presence, 3),
            "occlusion_map": map_to_text(self.occlusion_map),
            # 9 digits are 0.01 crop pixels anywhere in a photo of a million pixels a side.
            "crop": {
                "matrix": [[float(f"{value:.9g}") for value in row] for row in self.crop.matrix.tolist()],
                "size": self.crop.size,
            },
        }

    @classmethod
    def from_json(cls, values: Mapping[str, Any], markup: Markup | None = None) -> "Face":
        """The face that to_json gave.

        Args:
            values: what JSON holds.
            markup: of a face whose markup is not the package's, as Detector.markup or markup.read_markup give it.

        Also what earlier versions wrote: without an expected error, the occlusion map as lists of numbers, and with
        `hidden` for `hidden_regions`, which follows from the visibility and is not read.

        Raises:
            AnnotationError: a key is missing, a value is of the wrong kind, shape or range, or the markup is another.
        """
        if not isinstance(values, Mapping):
            raise AnnotationError(
                f"a face in JSON is an object with keys, as Face.to_json gives it, not {shown(values)}"
            )
        name = values.get("markup", None if markup is None else markup.name)
        if name != (None if markup is None else markup.name):
            given = "its Markup is needed" if markup is None else f"not of '{markup.name}'"
            raise AnnotationError(f"a face in JSON is of markup {shown(name)}: {given} (from_json(values, markup))")
        try:
            crop, error = values["crop"], values.get("expected_error")
            predicted: dict[str, Any] = {} if error is None else {"expected_error": _numbers(error)}
            if values.get("presence") is not None:
                predicted["presence"] = float(values["presence"])
            return cls(
                box=_numbers(values["box"]),
                score=values["score"],
                landmarks=_numbers(values["landmarks"]),
                visibility=_numbers(values["visibility"]),
                occlusion_map=_map_of_json(values["occlusion_map"]),
                crop=CropTransform(_numbers(crop["matrix"]), int(crop["size"])),
                markup=markup,  # type: ignore[arg-type] # None: the package's
                **predicted,
            )
        except KeyError as error:
            raise AnnotationError(f"a face in JSON has no key {error}") from error
        except (TypeError, ValueError, OverflowError) as error:
            raise AnnotationError(f"a face in JSON does not hold what it should: {error}") from error


def _check(name: str, values: np.ndarray, n: int) -> None:
    """One of the arrays of a face with n landmarks.

    Raises:
        ValueError: a wrong shape, a number that is not finite or out of its range.
    """
    shapes = {"box": (4,), "landmarks": (n, 2), "visibility": (n,), "expected_error": (n,)}
    expected = shapes.get(name)
    if values.shape != expected if expected else values.ndim != 2 or not values.size:
        raise ValueError(f"{name} has shape {expected or '(h, w)'}, not {values.shape}")
    low, high = float(values.min()), float(values.max())  # NaN where one is: a video's every frame is checked
    if name == "expected_error" and math.isnan(low) and np.isnan(values).all():
        return
    if not (math.isfinite(low) and math.isfinite(high)):
        raise ValueError(f"{name} has numbers that are not finite")
    if name in ("visibility", "occlusion_map") and not 0 <= low <= high <= 1:
        raise ValueError(f"{name} is in 0..1")
    if name == "expected_error" and low < 0:
        raise ValueError("expected_error is at least 0")


def _map_of_json(value: Any) -> np.ndarray:
    """What map_to_text gave, or the lists of earlier versions."""
    return map_of_text(value) if isinstance(value, str) else _numbers(value)


def _numbers(values: Any) -> np.ndarray:
    return np.array(values, dtype=np.float64)
