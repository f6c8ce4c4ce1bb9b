"""Fuzzing of every reader: README.md. Not part of the installed package."""
