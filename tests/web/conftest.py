"""Node, Chromium and the built page; a test is skipped where one is missing, and says which."""

import contextlib
import functools
import http.server
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
#: The browser's names, of Debian, Ubuntu, Fedora and Google.
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@pytest.fixture(scope="session")
def node() -> str:
    """Node's file."""
    found = shutil.which("node")
    if found is None:
        pytest.skip("needs Node (Debian's package nodejs) to run the page's modules")
    return found


@pytest.fixture(scope="session")
def modules() -> Path:
    """web/node_modules with the page's packages."""
    if not (WEB / "node_modules" / "playwright-core").is_dir():
        pytest.skip("needs the page's packages: run `make web`")
    return WEB / "node_modules"


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser's file."""
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("needs Chromium (Debian's package chromium)")
    return found


@pytest.fixture(scope="session")
def call(node: str) -> Callable[..., list[Any]]:
    """Calls of the page's functions: (name, arguments) pairs in, their results out (web/test/call.mjs)."""

    def run(*calls: tuple[str, list[Any]]) -> list[Any]:
        return json.loads(run_node(node, WEB / "test" / "call.mjs", calls))

    return run


@pytest.fixture(scope="session")
def drive(node: str, chromium: str, modules: Path) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Drives the page as a task says, and returns what came of it (web/test/drive.mjs)."""
    return lambda task: json.loads(run_node(node, WEB / "test" / "drive.mjs", {"chromium": chromium, **task}))


@pytest.fixture(scope="session")
def built(modules: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, built anew."""
    out = tmp_path_factory.mktemp("web") / "dist"
    subprocess.run([sys.executable, WEB / "build.py", "--out", out], check=True, capture_output=True)
    return out


@pytest.fixture(scope="session")
def url(built: Path) -> Iterator[str]:
    """Of the page, served."""
    with served(built) as url:
        yield url


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """The URL of a page in a folder."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/index.html"
        server.shutdown()
        thread.join()


def run_node(node: str, script: Path, value: Any) -> str:
    """What a script prints that is given a value as JSON."""
    run = subprocess.run([node, script], input=json.dumps(value), capture_output=True, text=True, timeout=540)
    assert run.returncode == 0, run.stderr
    return run.stdout
