"""What can go wrong by a user's doing. Every message is one line: what was expected, what came, what to do."""


class OcclumarkError(Exception):
    """Anything a user can cause and mend; the command line prints it as one line and exits with 1."""


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
