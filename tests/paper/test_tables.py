import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from occlumark.errors import AnnotationError
from occlumark.metrics.landmarks import paired_difference
from paper import best, table1, table2, table3, table4
from paper.inputs import Inputs, MissingInputError
from paper.page import Table
from paper.photo_errors import PhotoErrors

WriteErrors = Callable[..., PhotoErrors]


def page(inputs: Inputs, name: str) -> str:
    return (inputs.results / f"{name}.md").read_text(encoding="utf-8")


def row(inputs: Inputs, name: str, starts: str) -> list[str]:
    (found,) = [line for line in page(inputs, name).splitlines() if line.startswith(f"| {starts}")]
    return [cell.strip().replace("**", "") for cell in found.strip("|").split("|")]


@pytest.fixture
def measured(inputs: Inputs, write_errors: WriteErrors) -> Inputs:
    """A network on three Common faces and two Challenging ones, of which the finder misses one."""
    subsets = ["common"] * 3 + ["challenging"] * 2
    write_errors(inputs.errors / "300w-net-official.csv", [0.02, 0.03, 0.04, 0.06, 0.10], subsets)
    write_errors(inputs.errors / "300w-net-finder.csv", [0.02, 0.03, 0.04, np.nan, 0.10], subsets)
    return inputs


def test_tables_1_and_2_have_ours_beside_the_papers(measured: Inputs) -> None:
    table1.make(measured)
    ours = row(measured, "table1", "**net, ours, official")
    assert (ours[3], ours[5]) == ("3.00", "5.00")
    assert ours[4] == "2.00 to 4.00"  # of three faces any draw is as likely
    assert row(measured, "table1", "**ODN, the paper's")[2:] == ["inter-ocular", "3.56", "", "4.17", ""]
    assert row(measured, "table1", "CFSS")[2] == "inter-pupil"
    table2.make(measured)
    assert row(measured, "table2", "**net, ours, official")[3] == "8.00"
    assert row(measured, "table2", "**net, ours, finder")[3] == "10.00"
    assert "net, ours, finder boxes: 0 of Common and 1 of Challenging" in page(measured, "table2")
    assert "2,129" in page(measured, "table1") and "no box source" in page(measured, "table2").replace("\n", " ")


def test_the_tables_say_the_same_as_csv(measured: Inputs) -> None:
    _, table = table2.make(measured)
    lines = table.read_text(encoding="utf-8").splitlines()
    assert lines[-2].startswith('"net, ours, official boxes",,inter-ocular,8.00,6.00 to 10.00')
    assert len(lines) == 1 + 11 + 2


def test_best_has_ours_below_the_published(measured: Inputs) -> None:
    best.make(measured)
    assert row(measured, "best", "**net, ours, official")[1:] == ["3.00", "8.00", "5.00"]
    assert row(measured, "best", "SPIGA")[1:] == ["2.59", "4.66", "2.99"]


def test_without_errors_of_ours_the_tables_are_skipped(inputs: Inputs) -> None:
    for module in (table1, table2, best):
        with pytest.raises(MissingInputError, match="make paper-errors"):
            module.make(inputs)
    assert not inputs.results.exists()


def test_table_3_without_aflw_has_the_papers_rows_and_says_so(inputs: Inputs) -> None:
    table3.make(inputs)
    assert row(inputs, "table3", "**ODN, the paper's")[3:] == ["1.63", "", "1.38", ""]
    assert (
        "No network of 19 points has been measured here yet" in page(inputs, "table3")
        and "ours" not in row(inputs, "table3", "SDM")[0]
    )


def test_table_3_has_every_normaliser_and_the_counts_found(inputs: Inputs, write_errors: WriteErrors) -> None:
    path = inputs.errors / "aflw-net-official.csv"
    write_errors(path, [0.01, 0.03, 0.05], ["full frontal", "full frontal", "full"], "box_width")
    table3.make(inputs)
    rows = [line for line in page(inputs, "table3").splitlines() if line.startswith("| **net, ours, official boxes**")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in rows]
    assert [(c[2], c[3], c[5]) for c in cells] == [
        ("box_width", "3.00", "2.00"),
        ("box_size", "2.60", "1.73"),  # 60 / sqrt(60 x 80) = 0.866
        ("box_longer", "2.25", "1.50"),
        ("box_diagonal", "1.80", "1.20"),
    ]
    assert "3 faces of Full (published: 4,386), 2 of Frontal" in page(inputs, "table3")
    assert "not here" not in page(inputs, "table3")


CHALLENGING = ["challenging", "challenging", "challenging", "common"]


def test_table_4_has_means_over_seeds_their_spread_and_what_is_missing(
    inputs: Inputs, write_errors: WriteErrors
) -> None:
    write_errors(inputs.errors / "ablation-brnet-seed0.csv", [0.05, 0.06, 0.07, 0.02], CHALLENGING)
    write_errors(inputs.errors / "ablation-brnet-seed1.csv", [0.07, 0.08, 0.09, 0.04], CHALLENGING)
    (inputs.errors / "networks.csv").write_text("row,parameters,milliseconds\nbrnet,11246280,20\nodn,13698697,21\n")
    table4.make(inputs)
    brnet = row(inputs, "table4", "BRNet: ResNet-18 ")
    # seeds' means 6 and 8: spread sqrt(2); Common 2 and 4; Full 5 and 7
    assert brnet[1:] == ["7.21", "2", "7.00", "1.41", "3.00", "1.41", "6.00", "1.41", "11.25", "1.00"]
    odn = row(inputs, "table4", "BRNet + GM + LM + DM: ODN")
    assert odn[1:4] == ["6.67", "0", "missing"] and odn[-2:] == ["13.70", "1.05"]
    assert "Missing, not trained yet: `gm-dm`" in page(inputs, "table4")
    assert "No two rows to compare yet" in page(inputs, "table4")


def test_table_4_compares_photo_by_photo_over_the_seeds_that_both_have(
    inputs: Inputs, write_errors: WriteErrors
) -> None:
    for seed, errors in enumerate([[0.05, 0.06, 0.07, 0.02], [0.07, 0.08, 0.09, 0.04]]):
        write_errors(inputs.errors / f"ablation-brnet-seed{seed}.csv", errors, CHALLENGING)
    write_errors(inputs.errors / "ablation-odn-seed1.csv", [0.06, 0.08, 0.07, 0.9], CHALLENGING)
    write_errors(inputs.errors / "ablation-beta-1e-3-seed1.csv", [0.06, 0.08, 0.07, 0.9], CHALLENGING)
    rows = table4.trained(inputs.errors)
    ((first, against, seeds, difference, between, p, *over_seeds),) = table4.compare("odn", "brnet", rows)
    expected = paired_difference(np.array([0.06, 0.08, 0.07]), np.array([0.07, 0.08, 0.09]))
    assert (first, against, seeds, difference) == ("odn", "brnet", "1", "-1.00")
    assert (between, p) == (f"{100 * expected.low:.2f} to {100 * expected.high:.2f}", f"{expected.p:.4f}")
    assert over_seeds == ["-", "-", "one seed"]
    assert table4.compare("odn", "odn", rows) == [] and table4.compare("gm-dm", "odn", rows) == []
    table4.make(inputs)
    assert row(inputs, "table4", "Challenging | beta-1e-3 | odn")[4] == "+0.00"
    assert row(inputs, "table4", "Common | odn | brnet")[4] == "+86.00"
    assert row(inputs, "table4", "ODN, beta 1e-3")[2] == "1"


@pytest.mark.parametrize(
    ("shifts", "spread", "over_seeds", "reading"),
    [
        ((-0.01, -0.012), "0.14", "-2.37 to 0.17", "2 seeds: too few"),
        ((-0.01, -0.012, -0.011), "0.10", "-1.35 to -0.85", "better"),
        ((0.01, 0.012, 0.011), "0.10", "0.85 to 1.35", "worse"),
        ((0.01, -0.012, 0.011), "1.30", "-2.93 to 3.53", "equal"),
        ((0.0, 0.0002, 0.0001), "0.01", "-0.01 to 0.03", "equal"),
    ],
)
def test_table_4_reads_a_difference_by_its_spread_over_seeds(
    shifts: tuple[float, ...], spread: str, over_seeds: str, reading: str, inputs: Inputs, write_errors: WriteErrors
) -> None:
    """Student's interval by hand: mean +- 12.706 (4.303) times the spread over the root of 2 (3)."""
    base = np.array([0.05, 0.06, 0.07, 0.08])
    for seed, shift in enumerate(shifts):
        write_errors(inputs.errors / f"ablation-brnet-224-seed{seed}.csv", base, ["challenging"] * 4)
        write_errors(inputs.errors / f"ablation-odn-224-seed{seed}.csv", base + shift, ["challenging"] * 4)
    table4.make(inputs)
    cells = row(inputs, "table4", "Challenging | odn-224 | brnet-224")
    assert cells[3] == str(len(shifts)) and cells[4] == f"{100 * np.mean(shifts):+.2f}"
    assert cells[-3:] == [spread, over_seeds, reading]
    assert row(inputs, "table4", "BRNet + GM + LM + DM: ODN, 224 px")[2] == str(len(shifts))


def test_table_4_tells_what_the_logs_say(inputs: Inputs) -> None:
    inputs.logs.mkdir(parents=True)
    epochs = [
        {"epoch": 1, "M/effective_rank": 256.0},  # not validated
        {"epoch": 2, "validation/nme": 0.05, "validation/nme_occluded": 0.1, "M/effective_rank": 201.5}
        | {"validation/P_mean": 0.75, "validation/P_cut": 0.125, "validation/P_occlusion_ap": 0.5},
    ]
    lines = "".join(f"{json.dumps(epoch)}\n" for epoch in epochs)
    (inputs.logs / "ablation-odn-seed1.jsonl").write_text(lines, encoding="utf-8")
    table4.make(inputs)
    expected = ["2", "5.00", "10.00", "256.00 to 201.50", "-", "0.75", "12.5", "50.0", "-"]
    assert row(inputs, "table4", "`odn-seed1`")[1:] == expected
    for broken in ("", "{}\n", "[1]\n", "not JSON\n", f"{lines}{json.dumps({'epoch': 3})}\n"):
        (inputs.logs / "ablation-odn-seed1.jsonl").write_text(broken, encoding="utf-8")
        with pytest.raises(AnnotationError, match="is no log of a training"):
            table4.make(inputs)


def test_table_4_refuses_what_it_cannot_place(inputs: Inputs, write_errors: WriteErrors) -> None:
    path = inputs.errors / "ablation-gm-seed0.csv"
    write_errors(path, [0.05], ["challenging"])
    with pytest.raises(AnnotationError, match="ablation-gm-seed0: expected ablation-ROW-seedN"):
        table4.make(inputs)
    path.unlink()
    write_errors(inputs.errors / "ablation-odn-seed0.csv", [0.05, 0.06], ["challenging", "challenging"])
    write_errors(inputs.errors / "ablation-brnet-seed0.csv", [0.05], ["challenging"])
    with pytest.raises(AnnotationError, match="different photos"):
        table4.make(inputs)


def test_a_table_is_markdown_and_csv(tmp_path: Path) -> None:
    table = Table(["a", "b"], [["**1**", "x, y"]])
    assert table.markdown() == "| a | b |\n| --- | --- |\n| **1** | x, y |\n"
    assert table.write(tmp_path / "t.csv").read_text(encoding="utf-8") == 'a,b\n1,"x, y"\n'
