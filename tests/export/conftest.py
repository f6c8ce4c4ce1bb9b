"""The networks need torch: without the train extra these tests are skipped."""

import pytest

pytest.importorskip("torch", reason="needs torch (the train extra)")
pytest.importorskip("onnx", reason="needs onnx (the train extra)")
pytest.importorskip("jaxtyping", reason="needs jaxtyping (the train extra)")
