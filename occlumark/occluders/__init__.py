"""Things before the face, drawn or pasted."""
