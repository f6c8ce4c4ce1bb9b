"""Faces in video: followed from frame to frame under stable ids, landmarks smoothed; video read and written."""

from occlumark.video.tracker import TrackedFace, Tracker

__all__ = ["TrackedFace", "Tracker"]
