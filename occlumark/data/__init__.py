"""Annotated faces: readers, the pack of crops, and what augmentation does to them."""
