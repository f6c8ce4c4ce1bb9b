"""Photos read in a process of their own."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from occlumark.errors import PhotoError
from occlumark.photo import limited, read_photo

NOISE = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)


@pytest.fixture(autouse=True)
def no_process_stays() -> Iterator[None]:
    yield
    limited._close_all()


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    Image.fromarray(NOISE).save(tmp_path / "noise.png")
    return tmp_path / "noise.png"


def test_pixels_notes_and_errors_are_those_of_this_process(photo: Path, tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_photo(photo, max_seconds=60), NOISE)
    np.testing.assert_array_equal(read_photo(photo.read_bytes(), max_seconds=60), NOISE)
    with photo.open("rb") as file:
        np.testing.assert_array_equal(read_photo(file, max_seconds=60), NOISE)
    frames = [Image.fromarray(NOISE[..., i]) for i in range(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    here: list[str] = []
    there: list[str] = []
    np.testing.assert_array_equal(
        read_photo(tmp_path / "a.gif", notes=here), read_photo(tmp_path / "a.gif", max_seconds=60, notes=there)
    )
    assert here == there and len(here) == 1
    for source, max_pixels in ((tmp_path / "none", 100), (photo, 100), (b"text", 100), (b"", 100)):
        messages = []
        for seconds in (None, 60):
            with pytest.raises(PhotoError) as caught:
                read_photo(source, max_pixels, max_seconds=seconds)
            messages.append(str(caught.value))
        assert messages[0] == messages[1]
    assert len(limited._idle) == 1  # one process has served all


def test_the_process_stays_where_another_error_is_being_handled(photo: Path) -> None:
    try:
        raise KeyError
    except KeyError:
        read_photo(photo, max_seconds=60)
    np.testing.assert_array_equal(read_photo(photo, max_seconds=60), NOISE)


def test_a_relative_path_is_of_the_folder_as_it_is_now(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_photo(photo, max_seconds=60)
    monkeypatch.chdir(photo.parent)
    np.testing.assert_array_equal(read_photo(photo.name, max_seconds=60), NOISE)


def test_what_takes_too_long_is_given_up_and_the_next_photo_is_read(
    photo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleep = "; import time; from occlumark.photo import limited; limited.decode = lambda *_: time.sleep(600); serve()"
    slow = limited._SERVE.replace("; serve()", sleep)
    with monkeypatch.context() as patch:
        patch.setattr(limited, "_SERVE", slow)
        began = time.monotonic()
        with pytest.raises(PhotoError, match=rf"^cannot read {photo}: it takes longer than 0\.5 s \(--max-seconds"):
            read_photo(photo, max_seconds=0.5)
        assert time.monotonic() - began < 30
    np.testing.assert_array_equal(read_photo(photo, max_seconds=60), NOISE)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a system with limits of memory")
def test_memory_is_limited(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    greedy = limited._SERVE.replace(
        "; serve()", "; import occlumark.photo.decode as d; d.picture_format = lambda head: bytes(1 << 32); serve()"
    )
    monkeypatch.setattr(limited, "_SERVE", greedy)
    with pytest.raises(PhotoError, match="does not fit into memory"):
        read_photo(photo, 1_000_000, max_seconds=60)


def test_a_process_that_dies_is_one_line(photo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dying = limited._SERVE.replace("; serve()", "; import os; print('ready', flush=True); sys.stdin.readline()")
    monkeypatch.setattr(limited, "_SERVE", dying)
    with pytest.raises(PhotoError, match="the process that reads it has died"):
        read_photo(photo, max_seconds=60)


def test_threads_have_processes_of_their_own(photo: Path) -> None:
    with ThreadPoolExecutor(3) as pool:
        for pixels in pool.map(lambda _: read_photo(photo, max_seconds=60), range(12)):
            np.testing.assert_array_equal(pixels, NOISE)
    assert 1 <= len(limited._idle) <= 3 and threading.active_count() < 10


def test_a_script_without_a_main_guard_runs_once(photo: Path) -> None:
    code = "import sys; print('once'); from occlumark.photo import read_photo\n"
    code += "print(read_photo(sys.argv[1], max_seconds=60).shape)"
    done = subprocess.run([sys.executable, "-c", code, str(photo)], capture_output=True, text=True, check=True)
    assert done.stdout == "once\n(60, 80, 3)\n" and done.stderr == ""


@pytest.mark.parametrize("seconds", [0, -1, float("nan")])
def test_no_time_is_a_callers_mistake(photo: Path, seconds: float) -> None:
    with pytest.raises(ValueError, match="above 0"):
        read_photo(photo, max_seconds=seconds)
