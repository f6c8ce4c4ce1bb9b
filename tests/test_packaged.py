import hashlib
import json

import pytest

from occlumark import packaged
from occlumark.errors import CheckpointError
from occlumark.network_file import open_network
from occlumark.packaged import DEFAULT_MODEL, packaged_finder, packaged_weights


@pytest.fixture
def package(tmp_path, monkeypatch, dot_network):
    """A package of two landmark networks and a face finder."""
    monkeypatch.setattr(packaged, "_FOLDER", tmp_path)
    sha256 = hashlib.sha256(dot_network.read_bytes()).hexdigest()
    names = ("odn", "finder", "another")
    for name in names:
        (tmp_path / f"{name}.onnx").write_bytes(dot_network.read_bytes())
    table = {name: {"file": f"{name}.onnx", "sha256": sha256} for name in names}
    (tmp_path / "weights.json").write_text(json.dumps(table))
    return tmp_path


def test_the_default_is_in_the_package():
    path, _ = packaged_weights(DEFAULT_MODEL)
    assert path.is_file()


def test_packaged_weights(package):
    path, sha256 = packaged_weights("odn")
    open_network(path, sha256=sha256)
    path.write_bytes(path.read_bytes() + b"\x08")
    with pytest.raises(CheckpointError, match="altered"):
        open_network(path, sha256=sha256)


def test_the_face_finder_is_no_landmark_model(package):
    assert packaged_finder()[0] == package / "finder.onnx"
    with pytest.raises(CheckpointError, match=r"no packaged model 'finder'; there is another, odn$"):
        packaged_weights("finder")


def test_unknown_model_names_the_known(package):
    with pytest.raises(CheckpointError, match=r"no packaged model 'odm'; there is another, odn$"):
        packaged_weights("odm")


def test_a_package_without_networks(package):
    (package / "weights.json").write_text("{}")
    with pytest.raises(CheckpointError, match="no packaged model 'odn'; there is none"):
        packaged_weights("odn")
    with pytest.raises(CheckpointError, match=r"no face finder in .*; install the package again"):
        packaged_finder()


@pytest.mark.parametrize("text", ["{", "[]", '{"odn": {}}', '{"odn": 5}'])
def test_broken_table(package, text):
    (package / "weights.json").write_text(text)
    for look_up in (packaged_finder, lambda: packaged_weights("odn")):
        with pytest.raises(CheckpointError, match="broken; install the package again"):
            look_up()


def test_missing_table(package):
    (package / "weights.json").unlink()
    with pytest.raises(CheckpointError, match=r"cannot read weights .*weights\.json: No such file"):
        packaged_weights("odn")
