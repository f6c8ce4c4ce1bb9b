"""Random erasing (Zhong et al., AAAI 2020), as published: a control of the ablation, not a thing before a face."""

import cv2
import numpy as np

#: Share of the picture's area, and the rectangle's height over its width up to its inverse. The paper's s_l, s_h, r_1.
_AREA, _ASPECT = (0.02, 0.4), 0.3
#: ImageNet's mean colour.
_MEAN = (124, 116, 104)


def erase(crop: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A rectangle anywhere in the crop, filled with noise, uniform in 0..255, or with ImageNet's mean, each as often.

    Args:
        crop: (S, S, 3) uint8, RGB; not modified.
        rng: the same state gives the same rectangle.

    Returns:
        The crop with the rectangle, a new array, and 1 in it and 0 elsewhere, (S, S) float32.
    """
    side = crop.shape[0]
    height = width = side + 1
    while height > side or width > side:
        area = rng.uniform(*_AREA) * side**2
        aspect = rng.uniform(_ASPECT, 1 / _ASPECT)
        height, width = round((area * aspect) ** 0.5), round((area / aspect) ** 0.5)
    y, x = int(rng.integers(side - height + 1)), int(rng.integers(side - width + 1))
    erased, alpha = crop.copy(), np.zeros((side, side), np.float32)
    cv2.rectangle(alpha, (x, y), (x + width - 1, y + height - 1), (1.0,), cv2.FILLED)
    filling = rng.integers(0, 256, (height, width, 3), np.uint8) if rng.random() < 0.5 else np.array(_MEAN, np.uint8)
    erased[y : y + height, x : x + width] = filling
    return erased, alpha
