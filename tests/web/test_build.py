"""What `make web` puts together."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from occlumark.errors import CheckpointError, OcclumarkError
from occlumark.landmarker import Landmarker
from occlumark.packaged import packaged_finder, packaged_weights

WEB = Path(__file__).parents[2] / "web"


@pytest.fixture(scope="module")
def build() -> ModuleType:
    """web/build.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("web_build", WEB / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_network_that_tells_no_presence_is_refused(build):
    with pytest.raises(CheckpointError, match=r"odn cannot be the page's: it needs .* presence"):
        build.settings(packaged_weights("odn")[0], "odn")


def test_without_its_packages_it_says_what_to_do(build, monkeypatch, tmp_path):
    monkeypatch.setattr(build, "RUNTIME", tmp_path / "missing")
    with pytest.raises(OcclumarkError, match="npm ci"):
        build.build(build.PAGE_MODEL, tmp_path / "dist")


def test_the_folder_holds_all_that_the_page_loads(build, modules, tmp_path):
    out = tmp_path / "dist"
    out.mkdir()
    (out / "old.js").write_text("", "utf-8")
    with pytest.raises(OcclumarkError, match=r"dist holds files that are not the page's; name an empty folder"):
        build.build(build.PAGE_MODEL, out)
    assert (out / "old.js").exists()
    (out / "settings.json").write_text("", "utf-8")
    own = build.build(build.PAGE_MODEL, out)
    names = {path.name for path in out.iterdir()}
    assert {"index.html", "page.js", "worker.js", "settings.json", "onnxruntime-web.mjs"} < names
    assert "old.js" not in names
    assert (out / "finder.onnx").read_bytes() == packaged_finder()[0].read_bytes()
    assert own < 5e6
    assert Landmarker(out / "landmarks.onnx").model == build.PAGE_MODEL
    runtime = [out / "onnxruntime-web.mjs", out / "ort-wasm-simd-threaded.wasm"]
    assert own == sum(path.stat().st_size for path in out.iterdir()) - sum(path.stat().st_size for path in runtime)
    text = (out / "network.js").read_text("utf-8")
    assert '"./onnxruntime-web.mjs"' in text and '"onnxruntime-web"' not in text
    settings = json.loads((out / "settings.json").read_text("utf-8"))
    assert settings["model"] == build.PAGE_MODEL and settings["crop"] == {"size": 128, "scale": 1.3}
    assert len(settings["mean_face"]) == 51


def test_an_unknown_model_is_wrong_usage():
    run = subprocess.run([sys.executable, WEB / "build.py", "--model", "tiny"], capture_output=True, text=True)
    assert run.returncode == 2 and "invalid choice: 'tiny'" in run.stderr


def test_the_packages_are_pinned():
    """Exact versions, each with its checksum, from whatever registry npm is set to."""
    package = json.loads((WEB / "package.json").read_text("utf-8"))
    versions = package["dependencies"] | package["devDependencies"]
    assert all(version.replace(".", "").isdigit() for version in versions.values())
    locked = json.loads((WEB / "package-lock.json").read_text("utf-8"))["packages"]
    for name, entry in locked.items():
        if name:
            assert entry["integrity"].startswith("sha512-") and "resolved" not in entry
    assert {name: locked[f"node_modules/{name}"]["version"] for name in versions} == versions


@pytest.mark.slow
def test_the_types_hold(node, modules):
    run = subprocess.run([node, modules / "typescript" / "bin" / "tsc", "-p", WEB], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
