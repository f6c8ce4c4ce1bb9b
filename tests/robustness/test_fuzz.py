"""Every input that ever failed, and some damaged files of every kind; `make fuzz` reads as many as one likes."""

from pathlib import Path

import numpy as np
import pytest

from robustness.fuzz import KEPT, Failure, fuzz, input_number, reason_of
from robustness.mutate import minimised, with_checksums
from robustness.readers import KINDS, prepared

for package in ("torch", "scipy", "onnx", "safetensors"):
    pytest.importorskip(package, reason="needs the train and data extras: their readers are fuzzed as well")

IN_THIS_PROCESS = sorted(set(KINDS) - {"avif"})
N = 40


@pytest.fixture(scope="module")
def seeds() -> dict[str, list[bytes]]:
    return {kind: KINDS[kind].seeds() for kind in IN_THIS_PROCESS}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", IN_THIS_PROCESS)
def test_damaged_files_are_read_or_refused(kind: str, seeds: dict[str, list[bytes]], tmp_path: Path) -> None:
    path = prepared(tmp_path, KINDS[kind])
    for content in seeds[kind][:1]:
        path.write_bytes(content)
        KINDS[kind].read(path)  # a whole file is read
    for number in range(N):
        path.write_bytes(input_number(kind, seeds[kind], 7, number))
        assert reason_of(kind, path) is None, number


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kept", sorted(KEPT.glob("*")), ids=lambda path: path.name)
def test_what_failed_once(kept: Path, tmp_path: Path) -> None:
    kind = kept.name.partition("-")[0]
    if kind == "avif":
        features = pytest.importorskip("PIL.features")
        if not features.check("avif"):
            pytest.skip("Pillow is without AVIF")
    path = prepared(tmp_path, KINDS[kind])
    path.write_bytes(kept.read_bytes())
    assert reason_of(kind, path) is None


def test_the_harness_sees_what_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = prepared(tmp_path, KINDS["pts"])

    def reader(raised: BaseException | None) -> None:
        def read(_: Path) -> None:
            while raised is None:
                pass
            raise raised

        monkeypatch.setitem(KINDS, "pts", KINDS["pts"]._replace(read=read))

    reader(ZeroDivisionError())
    assert reason_of("pts", path) == "ZeroDivisionError in test_fuzz.py:read"
    monkeypatch.setattr("robustness.fuzz.MOST_SECONDS", 0.05)
    reader(None)
    assert reason_of("pts", path) == "hang"


def test_inputs_depend_on_seed_and_number_alone() -> None:
    whole = KINDS["pts"].seeds()
    inputs = [input_number("pts", whole, seed, n) for seed in (0, 1) for n in range(50)]
    assert inputs == [input_number("pts", whole, seed, n) for seed in (0, 1) for n in range(50)]
    assert len(set(inputs)) > 90 and not set(inputs) <= set(whole)


def test_a_failing_input_is_made_smaller() -> None:
    assert minimised(b"aaaaXbbbbYcccc", lambda content: b"X" in content and b"Y" in content) == b"XY"


def test_checksums_of_a_png() -> None:
    (png, *_) = KINDS["png"].seeds()
    assert with_checksums(png) == png
    damaged = png[:20] + b"\x01" + png[21:]
    assert with_checksums(damaged) != damaged and len(with_checksums(damaged)) == len(png)


def test_fuzz_in_a_process_of_its_own() -> None:
    assert fuzz("face", 20, 3) == []
    assert Failure(1, "hang") == (1, "hang") and np.random.default_rng([1, 2, 3]).random() < 1
