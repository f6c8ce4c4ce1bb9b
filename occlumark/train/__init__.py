"""Training: one loop, its configuration and its checkpoints."""
