"""Puts the page together in web/dist/: its modules, onnxruntime-web's files, the packaged networks and what they are.

    python web/build.py [--model NAME]      make web does it, after `npm ci`

The folder is static: any web server may serve it, and the page fetches nothing from elsewhere. A network in 8 bits
comes into it with activations in floating point (occlumark/export/unquantised.py), which needs the web extra.
"""

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import onnx

from occlumark.errors import CheckpointError, OcclumarkError
from occlumark.export.unquantised import unquantised
from occlumark.face.pose import mean_head
from occlumark.landmarker import Landmarker
from occlumark.markup import N_LANDMARKS
from occlumark.packaged import packaged_finder, packaged_names, packaged_weights

HERE = Path(__file__).parent
RUNTIME = HERE / "node_modules" / "onnxruntime-web" / "dist"
#: The network that `make web` takes: the small one.
PAGE_MODEL = "occlumark-fast"
#: Of onnxruntime-web: its module, with WebAssembly's loader inside, and WebAssembly itself.
RUNTIME_FILES = {"ort.wasm.bundle.min.mjs": "onnxruntime-web.mjs", "ort-wasm-simd-threaded.wasm": None}

#: What the page reads first; a folder that has it is one of ours.
_SETTINGS = "settings.json"


def settings(path: Path, model: str) -> dict[str, Any]:
    """What the page has to know of a landmark network and of a face.

    Args:
        path: the network's file.
        model: its name.

    Raises:
        CheckpointError: the network does not predict what the page needs.
    """
    network = Landmarker(path)
    if network.markup.n != N_LANDMARKS or not (network.has_presence and network.has_expected_error):
        raise CheckpointError(f"{model} cannot be the page's: it needs 68 landmarks, presence and an expected error")
    front = mean_head()[0][:, :2]
    return {
        "model": model,
        "crop": {"size": network.crop.size, "scale": network.crop.scale},
        "mean_face": (front - front.mean(axis=0)).round(6).tolist(),
        "contours": [list(contour) for contour in network.markup.contours],
        "regions": {name: list(indices) for name, indices in network.markup.regions.items()},
    }


def build(model: str, out: Path) -> int:
    """Write the page.

    Returns:
        Its bytes, without onnxruntime-web's own.

    Raises:
        OcclumarkError: onnxruntime-web is not there, there is no such model, or the folder holds something else.
    """
    if not RUNTIME.is_dir():
        raise OcclumarkError(f"{RUNTIME} is not there: run `npm ci` in web/, or `make web`, which does both")
    weights, _ = packaged_weights(model)
    described = settings(weights, model)
    if out.exists():
        if any(out.iterdir()) and not (out / _SETTINGS).exists():
            raise OcclumarkError(f"{out} holds files that are not the page's; name an empty folder or a former --out")
        shutil.rmtree(out)
    shutil.copytree(HERE / "src", out)
    (out / _SETTINGS).write_text(json.dumps(described), encoding="utf-8")
    shutil.copyfile(packaged_finder()[0], out / "finder.onnx")
    onnx.save(unquantised(onnx.load(weights)), out / "landmarks.onnx")
    # A browser finds no package by its name alone.
    network = out / "network.js"
    network.write_text(network.read_text("utf-8").replace('"onnxruntime-web"', '"./onnxruntime-web.mjs"'), "utf-8")
    own = sum(file.stat().st_size for file in out.iterdir())
    for name, renamed in RUNTIME_FILES.items():
        shutil.copyfile(RUNTIME / name, out / (renamed or name))
    return own


def main() -> None:
    """Build and say how large it came out."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=packaged_names(), default=PAGE_MODEL, help="default: %(default)s")
    parser.add_argument("--out", type=Path, default=HERE / "dist")
    args = parser.parse_args()
    try:
        own = build(args.model, args.out)
    except OcclumarkError as error:
        parser.exit(1, f"web/build.py: {error}\n")
    print(f"{args.out}: {own / 1e6:.1f} MB with {args.model}, besides onnxruntime-web's own")
    print(f"To see it: python3 -m http.server -b 127.0.0.1 -d {args.out}")


if __name__ == "__main__":
    main()
