"""Measures: of landmarks, of visibility, of a face finder."""
