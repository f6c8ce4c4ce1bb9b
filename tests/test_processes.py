"""A Detector and the reader of photos in threads, forked and spawned processes, asyncio and PyTorch's workers."""

import asyncio
import multiprocessing
import os
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from occlumark.detect import Detector
from occlumark.face import Face
from occlumark.photo import read_photo

SAMPLE = Path(__file__).parents[1] / "occlumark" / "samples" / "astronaut.jpg"
BOXES = [[180.0 + i, 90, 265 + i, 170] for i in range(8)]


@pytest.fixture
def detector(dot_network: Path) -> Detector:
    return Detector(weights=dot_network, threads=1)


def landmarks(faces: list[Face]) -> list[list[list[float]]]:
    return [face.landmarks.tolist() for face in faces]


def detect(detector: Detector, box: list[float]) -> list[list[list[float]]]:
    return landmarks(detector.detect(SAMPLE, [box]))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
@pytest.mark.slow
def test_a_child_forked_while_another_thread_reads_photos_reads_photos(tmp_path: Path) -> None:
    """Each child would wait for ever for a lock that nobody in it holds."""
    script = tmp_path / "fork.py"
    script.write_text(
        "import os, signal, sys, threading\n"
        "from occlumark.photo import read_photo\n"
        "shape, stop = read_photo(sys.argv[1]).shape, threading.Event()\n"
        "def read():\n"
        "    while not stop.is_set(): read_photo(sys.argv[1])\n"
        "threads = [threading.Thread(target=read) for _ in range(3)]\n"
        "for thread in threads: thread.start()\n"
        "codes = []\n"
        "for _ in range(20):\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        signal.alarm(60)\n"
        "        os._exit(0 if read_photo(sys.argv[1]).shape == shape else 1)\n"
        "    codes.append(os.waitpid(child, 0)[1])\n"
        "stop.set()\n"
        "print(codes)\n"
    )
    command = [sys.executable, "-W", "ignore", str(script), str(SAMPLE)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.stdout == f"{[0] * 20}\n", done.stderr


def test_threads_share_a_detector(detector: Detector) -> None:
    alone = [detect(detector, box) for box in BOXES]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            assert list(pool.map(lambda box: detect(detector, box), BOXES)) == alone


def test_asyncio_hands_a_detector_to_threads(detector: Detector) -> None:
    async def all_at_once() -> list[list[Face]]:
        return await asyncio.gather(*(asyncio.to_thread(detector.detect, SAMPLE, [box]) for box in BOXES))

    alone = [detect(detector, box) for box in BOXES]
    assert [landmarks(faces) for faces in asyncio.run(all_at_once())] == alone


@pytest.mark.slow
def test_spawned_processes_get_a_detector(detector: Detector) -> None:
    alone = [detect(detector, box) for box in BOXES[:2]]
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=spawn) as pool:
        assert list(pool.map(detect, [detector] * 2, BOXES[:2])) == alone


class Faces:
    """A data set in PyTorch's sense: its items are landmarks, found where they are asked for."""

    def __init__(self, detector: Detector) -> None:
        self.detector, self.photo = detector, read_photo(SAMPLE)

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> np.ndarray:
        return self.detector.detect(self.photo, [BOXES[index]])[0].landmarks


@pytest.mark.slow
def test_spawned_workers_of_a_data_loader_get_a_detector(detector: Detector) -> None:
    data = pytest.importorskip("torch.utils.data", reason="needs torch (the train extra)")
    faces = Faces(detector)
    loader = data.DataLoader(faces, num_workers=1, multiprocessing_context="spawn", batch_size=2)
    batches = np.concatenate([batch.numpy() for batch in loader])
    np.testing.assert_array_equal(batches, np.stack([faces[i] for i in range(4)]))
