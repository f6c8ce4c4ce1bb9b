"""The colour of skin."""

import numpy as np

_TONES = np.array([(240, 205, 180), (226, 182, 150), (200, 150, 114), (160, 110, 80), (108, 72, 52), (74, 50, 38)])


def skin_tone(
    crop: np.ndarray, landmarks: np.ndarray, rng: np.random.Generator, own: float = 0.7
) -> tuple[np.ndarray, bool]:
    """A skin colour (3,), and whether it is the face's own, from its cheeks and nose: so with the probability `own`."""
    if rng.random() < own:
        cheeks = np.array([0.5 * (landmarks[a] + landmarks[b]) for a, b in ((2, 31), (14, 35), (29, 29))])
        x, y = np.clip(cheeks, 2, crop.shape[0] - 3).astype(int).T
        around = np.arange(-2, 3)
        seen = crop[y[:, None, None] + around[:, None], x[:, None, None] + around].reshape(-1, 3).astype(float)
        tone = np.median(seen, axis=0)
        if tone.max() > 50 and tone.min() < 235:
            tone = 0.9 * tone + 0.1 * tone.mean()  # hands are less red than cheeks
            return np.clip(tone * rng.uniform(0.88, 1.06) + rng.normal(0, 4, 3), 20, 245), True
    return np.clip(_TONES[rng.integers(len(_TONES))] * rng.uniform(0.8, 1.05) + rng.normal(0, 5, 3), 20, 245), False
