"""What can go wrong by a user's doing. Every message is one line: what was expected, what came, what to do."""

import unicodedata


def one_line(text: str) -> str:
    """Text for a terminal: control characters, line ends and marks that turn the order of writing are escaped.

    File names and other people's messages may hold them: printed raw, they colour, move or forge what a user reads.
    """
    # Cc: controls; Cf: invisible marks; Zl, Zp: ends of a line or paragraph. Cs: bytes of a name that are no text.
    unseen = {"Cc", "Cf", "Zl", "Zp", "Cs"}
    return "".join(ascii(c)[1:-1] if unicodedata.category(c) in unseen else c for c in text)


class OcclumarkError(Exception):
    """Anything a user can cause and mend; the command line prints it as one line and exits with 1."""

    def __str__(self) -> str:
        return one_line(super().__str__())


class PhotoError(OcclumarkError):
    """A photo that cannot be read, or is refused before it is decoded."""


class AnnotationError(OcclumarkError):
    """A landmark or box file that does not hold what its format promises."""


class ConfigError(OcclumarkError):
    """A configuration with an unknown key or a value out of its range."""


class CheckpointError(OcclumarkError):
    """A checkpoint, pack or weights file that is truncated, altered, of another kind or not ours."""


class BoxError(OcclumarkError, ValueError):
    """A face box that is inverted, not finite or outside its photo, wherever it came from."""
