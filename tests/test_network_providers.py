import copy
import pickle

import onnxruntime
import pytest

from occlumark.cli.main import main
from occlumark.detect import Detector
from occlumark.errors import ConfigError
from occlumark.network_file import named_providers, open_network

CPU = "CPUExecutionProvider"


def test_names_long_short_and_with_options(monkeypatch):
    there = ["TensorrtExecutionProvider", "CUDAExecutionProvider", CPU]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: there)
    assert named_providers(None) == named_providers([]) == [CPU]
    asked = ["TensorRT", ("cuda", {"device_id": 1}), "cpuexecutionprovider"]
    assert named_providers(asked) == [there[0], (there[1], {"device_id": 1}), CPU]


def test_a_provider_that_is_not_there_is_one_line_that_lists_what_is(dot_network, capsys):
    message = "this ONNX Runtime has no provider 'abacus', only "
    with pytest.raises(ConfigError, match=message) as caught:
        Detector(weights=dot_network, providers=["abacus"])
    assert CPU in str(caught.value) and "\n" not in str(caught.value)
    assert main(["detect", "a.jpg", "--provider", "abacus"]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"occlumark: {message}")


def test_a_provider_that_does_not_start_is_no_silent_cpu(dot_network, monkeypatch):
    monkeypatch.setattr(onnxruntime.InferenceSession, "get_providers", lambda session: [])
    with pytest.raises(ConfigError, match=f"{CPU} does not start"):
        open_network(dot_network, providers=["cpu"])


def test_a_provider_that_refuses(dot_network, monkeypatch):
    def refuses(session, *_, **__):
        raise RuntimeError("libabacus.so:\nno such file")

    monkeypatch.setattr(onnxruntime.InferenceSession, "__init__", refuses)
    with pytest.raises(ConfigError, match=r"cannot open .*dot\.onnx with CPUExecutionProvider: libabacus") as caught:
        open_network(dot_network, providers=[("cpu", {})])
    assert "\n" not in str(caught.value)


def test_a_copy_keeps_its_providers(dot_network):
    there = onnxruntime.get_available_providers()  # beside the CPU, what this build has
    session, _ = open_network(dot_network, threads=1, providers=there)
    for again in (session, pickle.loads(pickle.dumps(session)), copy.deepcopy(session)):
        assert again.get_providers() == there
    assert open_network(dot_network, threads=1)[0].get_providers() == [CPU]
