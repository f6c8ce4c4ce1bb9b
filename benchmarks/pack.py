"""Time and memory of packing very many faces.

    python benchmarks/pack.py 300w/afw [--faces 100000] [--size 64]

The faces of the folders are packed again and again under new names until there are enough. A small --size keeps the
file small (100,000 faces: 1.2 GB at 64, 31 GB at the default 320); the photos are read all the same.
"""

import argparse
import itertools
import resource
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from occlumark.data.pack import Pack, PackConfig, write_pack
from occlumark.data.w300 import read_w300


def main() -> None:
    """Pack a tenth of the faces, then all, and print what each took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--faces", type=int, default=100_000)
    parser.add_argument("--size", type=int, default=64)
    args = parser.parse_args()
    samples, _ = read_w300(args.folders)
    for count in (args.faces // 10, args.faces):
        many = [
            replace(sample, name=f"{i}/{sample.name}")
            for i, sample in enumerate(itertools.islice(itertools.cycle(samples), count))
        ]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "many.pack"
            began = time.perf_counter()
            write_pack(many, path, PackConfig(size=args.size))
            took_s = time.perf_counter() - began
            began = time.perf_counter()
            opened = len(Pack.open(path))
            open_s = time.perf_counter() - began
        peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{opened} faces: {1000 * took_s / opened:.2f} ms a face, peak {peak_mb:.0f} MB, opened in {open_s:.2f} s"
        )


if __name__ == "__main__":
    main()
