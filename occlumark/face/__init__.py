"""A face as it is returned, what follows from its landmarks (alignment, pose, openness), and other tools' formats."""

from occlumark.face.align import Layout
from occlumark.face.face import HIDDEN_BELOW, Face
from occlumark.face.formats import to_coco, to_csv, to_pts, to_supervision
from occlumark.face.pose import HeadPose

__all__ = ["HIDDEN_BELOW", "Face", "HeadPose", "Layout", "to_coco", "to_csv", "to_pts", "to_supervision"]
