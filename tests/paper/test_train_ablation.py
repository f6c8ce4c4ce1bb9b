"""What the script keeps of the ablation's runs."""

import csv
import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the train extra")

from occlumark.data.pack import PackConfig, write_pack
from occlumark.data.w300 import read_w300
from paper import train_ablation
from paper.train_ablation import CONFIGS, ROWS


@pytest.fixture
def photos(tmp_path: Path, symmetric_face: np.ndarray) -> Path:
    """Two faces in each of the folders of 300W's test sets, and eight to train on."""
    root = tmp_path / "300w"
    for folder, n in (("lfpw/testset", 2), ("helen/testset", 2), ("ibug", 2), ("afw", 8)):
        (root / folder).mkdir(parents=True)
        for i in range(n):
            np.savetxt(root / folder / f"{folder[0]}_{i:04d}.pts", symmetric_face + i)
            cv2.imwrite(str(root / folder / f"{folder[0]}_{i:04d}.jpg"), np.full((240, 240, 3), 20 * i, np.uint8))
    table = "set,file,x0,y0,x1,y1\n" + "".join(
        f"{p.parent.relative_to(root)},{p.name},30,50,200,205\n" for p in sorted(root.rglob("*.jpg"))
    )
    (root / "detector_boxes.csv").write_text(table)
    write_pack(read_w300([root / "afw"])[0], tmp_path / "train.pack", PackConfig(size=96))
    return root


def test_every_row_of_table_4_has_a_configuration() -> None:
    assert {path.stem for path in CONFIGS.glob("*.toml")} == set(ROWS)


@pytest.mark.slow
def test_a_row_is_trained_and_measured_once(
    photos: Path, tmp_path: Path, dot_network: Path, capsys, monkeypatch
) -> None:
    # what exporting does is tested where it is; here it would take most of the time
    monkeypatch.setattr(train_ablation, "export", lambda _, out: out.write_bytes(dot_network.read_bytes()))
    settings = ["imagenet=", "crop.size=64", "optimiser.epochs=1", "optimiser.batch=4", "workers=0"]
    words = ["--pack", tmp_path / "train.pack", "--photos", photos, "--rows", "brnet", "--seeds", 3, "--device", "cpu"]
    words += ["--runs", tmp_path / "runs", "--docs", tmp_path / "docs"]
    words += [word for setting in settings for word in ("--set", setting)]
    arguments = [str(word) for word in words]
    assert train_ablation.main(arguments) == 0
    assert capsys.readouterr().out == "brnet, seed 3: done\n"
    table = tmp_path / "docs" / "results" / "errors" / "ablation-brnet-seed3.csv"
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["subset"] for row in rows] == ["common"] * 2 + ["challenging"] * 2 + ["common"] * 2
    assert {row["box"] for row in rows} == {"official"} and all(float(row["error"]) > 0 for row in rows)
    (line,) = (tmp_path / "docs" / "logs" / "ablation-brnet-seed3.jsonl").read_text().splitlines()
    assert json.loads(line)["epoch"] == 1

    monkeypatch.setattr(train_ablation, "train", lambda *_, **__: pytest.fail("trained again"))
    before = table.stat().st_mtime_ns
    assert train_ablation.main(arguments) == 0
    assert capsys.readouterr().out == "brnet, seed 3: was complete\n" and table.stat().st_mtime_ns == before
    os.utime(table, (0, 0))  # older than the run: of another one
    assert train_ablation.main(arguments) == 0
    assert capsys.readouterr().out == "brnet, seed 3: done\n" and table.stat().st_mtime > 0


def test_a_mistake_is_one_line(tmp_path: Path, capsys) -> None:
    assert train_ablation.main(["--pack", str(tmp_path / "no.pack"), "--photos", str(tmp_path), "--rows", "odn"]) == 1
    told = capsys.readouterr().err
    assert told.startswith("train_ablation: cannot read pack") and told.count("\n") == 1
