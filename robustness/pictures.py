"""Small pictures of every format, made by Pillow, OpenCV and by hand: what damaged ones are made of."""

import io
from collections.abc import Callable

import cv2
import numpy as np
from PIL import Image


def picture() -> np.ndarray:
    """A ramp with noise, (24, 40, 3) uint8."""
    ramp = np.linspace(0, 255, 40 * 24 * 3).reshape(24, 40, 3)
    return (ramp + np.random.default_rng(0).normal(0, 20, ramp.shape)).clip(0, 255).astype(np.uint8)


def by_pillow(form: str, *options: dict[str, object]) -> Callable[[], list[bytes]]:
    """What makes a file for each set of Pillow's options; mode is the picture's."""

    def make() -> list[bytes]:
        files = []
        for values in options or ({},):
            values = dict(values)
            mode = str(values.pop("mode", "RGB"))
            file = io.BytesIO()
            Image.fromarray(picture()).convert(mode).save(file, form, **values)
            files.append(file.getvalue())
        return files

    return make


def animated() -> list[bytes]:
    """GIFs of one and of three pictures."""
    frames = [Image.fromarray(np.roll(picture(), i, axis=1)) for i in range(3)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    return [*by_pillow("GIF")(), file.getvalue()]


def netpbm() -> list[bytes]:
    """Files of Netpbm: in bytes, in text, of one bit, of 16."""
    grey = picture()[..., 0]
    text = " ".join(map(str, grey.ravel()))
    return [
        b"P5 40 24 255\n" + grey.tobytes(),
        b"P6 40 24 255\n" + picture().tobytes(),
        f"P2\n# a comment\n40 24 255\n{text}\n".encode(),
        b"P4 40 24\n" + np.packbits(grey > 99, axis=1).tobytes(),
        b"P5 40 24 65535\n" + grey.astype(">u2").tobytes(),
    ]


def jpeg_2000() -> list[bytes]:
    """Pillow may have no encoder: OpenCV's."""
    return [bytes(cv2.imencode(".jp2", cv2.resize(picture(), (128, 96)))[1])]
