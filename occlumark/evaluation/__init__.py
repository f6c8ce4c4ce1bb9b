"""Networks and detectors measured on annotated photos."""
