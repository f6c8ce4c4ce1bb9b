"""The paper's claims: each verdict follows from the figures, whatever they are."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from occlumark.errors import AnnotationError
from paper import claims
from paper.inputs import Inputs
from paper.photo_errors import PhotoErrors

WriteErrors = Callable[..., PhotoErrors]
CHALLENGING = ["challenging"] * 4


def line(inputs: Inputs, claim: str) -> list[str]:
    """The one row of claims.md that begins so."""
    rows = (inputs.results / "claims.md").read_text(encoding="utf-8").splitlines()
    (found,) = [row for row in rows if row.startswith(f"| {claim} |")]
    return [cell.strip() for cell in found.strip("|").split("|")]


def test_with_nothing_measured_nothing_is_confirmed_but_what_was_published(inputs: Inputs) -> None:
    claims.make(inputs)
    text = (inputs.results / "claims.md").read_text(encoding="utf-8")
    assert "0 confirmed, 1 not confirmed, " in text
    verdict = "not confirmed, by the paper's own table"
    assert line(inputs, "The lowest error of its Table 2")[2:4] == ["SAN: 6.60", verdict]
    assert line(inputs, "COFW68: images below .08")[3] == "not tested: COFW's photos are not at hand"


@pytest.mark.parametrize(("error", "verdict"), [(0.0667, "confirmed"), (0.0668, "not confirmed")])
def test_an_error_is_confirmed_where_ours_is_no_higher(
    error: float, verdict: str, inputs: Inputs, write_errors: WriteErrors
) -> None:
    write_errors(inputs.errors / "300w-odn-official.csv", [error] * 4 + [0.03], [*CHALLENGING, "common"])
    claims.make(inputs)
    _, paper, ours, found, _ = line(inputs, "300W Challenging: 6.67")
    assert (paper, found) == ("6.67", verdict) and ours.startswith(f"{100 * error:.2f} (")
    assert line(inputs, "300W Challenging: 6.67, its own recipe whole")[3] == "not tested: no run yet"


@pytest.mark.parametrize(
    ("shifts", "verdict"),
    [
        ((-0.01,), "not tested enough: 1 seed"),
        ((-0.01, -0.011), "not tested enough: 2 seeds"),
        ((-0.01, -0.011, -0.012), "confirmed"),
        ((-0.01, 0.011, 0.0), "not confirmed: equal"),
        ((0.01, 0.011, 0.012), "not confirmed: worse"),
    ],
)
def test_a_module_is_confirmed_from_three_seeds_on(
    shifts: tuple[float, ...], verdict: str, inputs: Inputs, write_errors: WriteErrors
) -> None:
    base = np.array([0.05, 0.06, 0.07, 0.08])
    for seed, shift in enumerate(shifts):
        for size in ("", "-224"):
            write_errors(inputs.errors / f"ablation-brnet{size}-seed{seed}.csv", base, CHALLENGING)
            write_errors(inputs.errors / f"ablation-odn{size}-seed{seed}.csv", base + shift, CHALLENGING)
    claims.make(inputs)
    for size in ("", ", 224 px"):
        found = line(inputs, f"The three modules together beat BRNet{size}")
        assert found[3] == verdict and found[2].startswith(f"{100 * np.mean(shifts):+.2f} (")
    assert line(inputs, "The L1 norm of P helps")[3] == "not tested: not trained yet"


def write_logs(inputs: Inputs, **scalars: float) -> None:
    inputs.logs.mkdir(parents=True, exist_ok=True)
    for seed in (0, 1):
        epoch = {"epoch": 12, "validation/nme": 0.05} | {key.replace("__", "/"): v for key, v in scalars.items()}
        (inputs.logs / f"ablation-odn-seed{seed}.jsonl").write_text(json.dumps(epoch) + "\n")


def test_what_the_logs_say_of_m_and_p_in_older_words_too(inputs: Inputs) -> None:
    matrix, occlusion = "The nuclear norm makes M of low rank", "P is low where the face is occluded"
    write_logs(inputs, M__effective_rank=255.0, validation__P_cover_ap=0.2, validation__cover_share=0.23)
    claims.make(inputs)
    assert line(inputs, matrix)[2:4] == ["effective rank 255.00 +- 0.00 (n = 2) of 256", "not confirmed"]
    ours = "average precision of 1 - P 20.00 +- 0.00 (n = 2) %, chance 23.00 %"
    assert line(inputs, occlusion)[2:4] == [ours, "not confirmed"]
    write_logs(inputs, M__effective_rank=40.0, validation__P_occlusion_ap=0.8, validation__occluded_share=0.23)
    claims.make(inputs)
    assert line(inputs, matrix)[3] == line(inputs, occlusion)[3] == "confirmed"


@pytest.mark.parametrize(("kept", "verdict"), [(0.5, "confirmed"), (0.9, "not confirmed")])
def test_what_figure_6_says(kept: float, verdict: str, inputs: Inputs) -> None:
    inputs.results.mkdir(parents=True)
    (inputs.results / "figure6.csv").write_text(
        'network,face,"features kept, occluded","features kept, not occluded"\n'
        f"odn,unoccluded,-,0.8\nodn,hand,{kept},0.8\nodn,hair,0.6,0.8\nocclumark,hand,-,-\n"
    )
    claims.make(inputs)
    ours, found = line(inputs, "The distilled features are weaker under occluders than beside them")[2:4]
    assert found == verdict and "under 2 occluders, 0.80 beside" in ours


def test_aflws_reduced_copy_decides_nothing(inputs: Inputs, write_errors: WriteErrors) -> None:
    path = inputs.errors / "aflw-aflw-official.csv"
    write_errors(path, [0.01, 0.03, 0.05], ["full frontal", "full frontal", "full"], "box_width")
    claims.make(inputs)
    ours, found = line(inputs, "AFLW-Full, box width: 1.63")[2:4]
    assert ours.startswith("aflw, ours, official boxes: 3.00 (")
    assert found.startswith("not tested as published: a reduced copy")
    assert line(inputs, "AFLW-Frontal, box width: 1.38")[2].startswith("aflw, ours, official boxes: 2.00 (")


def test_cofw68_by_its_text(inputs: Inputs, write_errors: WriteErrors) -> None:
    write_errors(inputs.errors / "cofw68-odn-official.csv", [0.03] * 12 + [0.09], ["test"] * 13)
    heads = 'method,NME x 10^-2,"images with NME up to .08, %",images\n'
    rows = 'HPM,6.72,81.46,507\nCFSS,6.28,83.23,507\n"odn, ours",3,99,507\n'
    (inputs.results / "figure4.csv").write_text(heads + rows)
    claims.make(inputs)
    assert line(inputs, "COFW68: images below .08")[2:4] == ["92.3 %, NME 3.46", "confirmed"]
    assert line(inputs, "COFW68: no other method is above about 81 %")[2:4] == ["CFSS: 83.23 %", "not confirmed"]


def test_a_broken_log_is_named(inputs: Inputs) -> None:
    inputs.logs.mkdir(parents=True)
    (inputs.logs / "ablation-odn-seed0.jsonl").write_text("{}\n")
    with pytest.raises(AnnotationError, match="is no log of a training"):
        claims.make(inputs)


def test_the_committed_page_is_what_is_made_of_the_committed_results(tmp_path: Path) -> None:
    docs = Path(__file__).parents[2] / "docs"
    for name in ("results", "logs"):
        shutil.copytree(docs / name, tmp_path / name)
    written = claims.make(Inputs(tmp_path / "nothing", tmp_path / "results"))
    for path in written:
        assert path.read_text(encoding="utf-8") == (docs / "results" / path.name).read_text(encoding="utf-8")
