import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from occlumark.errors import OcclumarkError
from occlumark.files import LOCK_NAME, owned_folder, write_csv, written_whole


def test_the_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with written_whole(path) as file:
        file.write(b"abc")
        assert not path.exists()
        file.seek(0)
        file.write(b"x")
    assert path.read_bytes() == b"xbc" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, ValueError, OSError(28, "No space left on device")])
def test_stopped_early_the_old_file_stays(tmp_path: Path, stop: BaseException) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    with pytest.raises((KeyboardInterrupt, ValueError, OcclumarkError)), written_whole(path) as file:
        file.write(b"new")
        raise stop
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_where_nothing_can_be_written(tmp_path: Path) -> None:
    message = f"^cannot write {tmp_path}/none/a.bin: No such file or directory$"
    with pytest.raises(OcclumarkError, match=message), written_whole(tmp_path / "none" / "a.bin"):
        pass
    (tmp_path / "file").touch()
    with pytest.raises(OcclumarkError, match="Not a directory"), written_whole(tmp_path / "file" / "a.bin"):
        pass
    assert list(tmp_path.iterdir()) == [tmp_path / "file"]


@pytest.mark.parametrize("name", ["folder", ".", "..", "/"])
def test_a_folder_is_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "folder").mkdir()
    monkeypatch.chdir(tmp_path)
    message = f"^cannot write {name}: it is a folder; name a file$"
    with pytest.raises(OcclumarkError, match=message), written_whole(Path(name)):
        pytest.fail("nothing is written")
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]


def test_two_writers_of_one_file_leave_the_last_whole_one(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    with written_whole(path) as first, written_whole(path) as second:
        for part in (b"1", b"1"):
            first.write(part)
            second.write(b"2")
    assert path.read_bytes() == b"11" and list(tmp_path.iterdir()) == [path]  # the outer block ends last


def test_many_writers_at_once_never_mix(tmp_path: Path) -> None:
    path, contents = tmp_path / "a.bin", [bytes([i]) * 20_000 for i in range(8)]

    def write(content: bytes) -> None:
        for _ in range(5):
            with written_whole(path) as file:
                for start in range(0, len(content), 1000):
                    file.write(content[start : start + 1000])
            assert path.read_bytes() in contents

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, contents))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("link", [False, True])
def test_a_users_file_of_a_likely_temporary_name_is_not_touched(tmp_path: Path, link: bool) -> None:
    mine, elsewhere = tmp_path / "y.jpg.partial", tmp_path / "elsewhere"
    elsewhere.write_bytes(b"mine")
    mine.symlink_to(elsewhere) if link else mine.write_bytes(b"mine")
    with written_whole(tmp_path / "y.jpg") as file:
        file.write(b"new")
    assert mine.read_bytes() == elsewhere.read_bytes() == b"mine" and mine.is_symlink() == link


def test_a_temporary_name_that_is_taken_is_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = iter(["0" * 16, "1" * 16])
    monkeypatch.setattr("occlumark.files.secrets.token_hex", lambda count: next(names))
    taken, mine = tmp_path / f".occlumark-{'0' * 16}.part", tmp_path / "mine"
    mine.write_bytes(b"mine")
    taken.symlink_to(mine)
    with pytest.raises(OcclumarkError, match="File exists"), written_whole(tmp_path / "a.bin"):
        pytest.fail("nothing is written")
    assert mine.read_bytes() == b"mine"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a system with pipes in folders")
def test_a_pipe_a_device_and_a_socket_are_refused_and_stay(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    before = {path.name: path.lstat().st_mode for path in tmp_path.iterdir()}
    for name, kind in {"pipe": "a pipe", "link": "a device", "socket": "a socket"}.items():
        message = f"^cannot write {tmp_path / name}: it is {kind}; name a file$"
        with pytest.raises(OcclumarkError, match=message), written_whole(tmp_path / name):
            pytest.fail("nothing is written")
    assert {path.name: path.lstat().st_mode for path in tmp_path.iterdir()} == before


def test_a_link_stays_and_its_target_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    target, link = tmp_path / "sub" / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(Path("sub") / "target")
    for content in (b"new", b"newer"):
        with written_whole(link) as file:
            file.write(content)
        assert link.is_symlink() and target.read_bytes() == content and not target.is_symlink()
        target.unlink()  # the second time the link leads nowhere
    assert list((tmp_path / "sub").iterdir()) == []


def test_links_in_a_circle_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    with pytest.raises(OcclumarkError, match=r"^cannot write \S+: Too many levels"), written_whole(tmp_path / "a"):
        pytest.fail("nothing is written")


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666, 0o755])
def test_a_replaced_file_keeps_its_permissions_and_nobody_reads_it_before(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    path.chmod(mode)
    with written_whole(path) as file:
        (temporary,) = set(tmp_path.iterdir()) - {path}
        assert temporary.stat().st_mode & 0o777 == 0o600
        file.write(b"new")
    assert path.stat().st_mode & 0o777 == mode and path.read_bytes() == b"new"


def test_a_new_file_has_the_permissions_that_the_user_gives_to_new_files(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with written_whole(tmp_path / "a.bin"):
            pass
    finally:
        os.umask(before)
    assert (tmp_path / "a.bin").stat().st_mode & 0o777 == 0o640


def test_a_write_protected_file_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "access", lambda *_: False)  # nothing is protected from the superuser
    with pytest.raises(OcclumarkError, match="Permission denied"), written_whole(path):
        pytest.fail("nothing is written")
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("length", [238, 245, 255])
def test_names_as_long_as_the_file_system_takes(tmp_path: Path, length: int) -> None:
    path = tmp_path / ("x" * (length - 4) + ".jpg")
    with written_whole(path) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"
    with pytest.raises(OcclumarkError, match="name too long"), written_whole(tmp_path / ("x" * 256)):
        pass


def test_a_name_with_a_zero_byte_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(OcclumarkError, match="cannot write"), written_whole(tmp_path / "a\0b"):
        pytest.fail("nothing is written")


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A Python of its own that runs the code and says "ready" when it may be killed."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    return process


WRITING = (
    "import sys; from pathlib import Path; from occlumark.files import written_whole\n"
    "with written_whole(Path(sys.argv[1])) as file:\n"
    "    file.write(b'half'); file.flush(); print('ready', flush=True); sys.stdin.read()\n"
)


def test_leftovers_of_the_killed_go_and_those_of_the_living_stay(tmp_path: Path) -> None:
    killed = start(WRITING, tmp_path / "killed")
    killed.kill()
    killed.communicate()
    (leftover,) = tmp_path.iterdir()
    mine = [tmp_path / f".occlumark-{'G' * 16}.part", tmp_path / ".occlumark-00.part"]
    for path in mine:
        path.touch()
    living = start(WRITING, tmp_path / "living")
    code = "import sys; from pathlib import Path; from occlumark.files import written_whole\n"
    code += "with written_whole(Path(sys.argv[1])): pass"
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "next")], check=True)
    assert not leftover.exists() and all(path.exists() for path in mine)
    living.communicate()
    assert (tmp_path / "living").read_bytes() == b"half" and len(list(tmp_path.iterdir())) == 4


OWNING = (
    "import sys; from pathlib import Path; from occlumark.files import owned_folder\n"
    "with owned_folder(Path(sys.argv[1])):\n"
    "    print('ready', flush=True); sys.stdin.read()\n"
)


def test_a_folder_has_one_owner_whose_name_is_told(tmp_path: Path) -> None:
    run = tmp_path / "runs" / "a"
    owner = start(OWNING, run)
    message = rf"^{run} is in use by process {owner.pid} on \S+, since 20\d\d-[-0-9: ]+; wait for it, or name another"
    with pytest.raises(OcclumarkError, match=message), owned_folder(run):
        pytest.fail("two owners")
    owner.communicate()
    with owned_folder(run):
        assert f"process {os.getpid()}" in (run / LOCK_NAME).read_text()
        with pytest.raises(OcclumarkError, match="is in use"), owned_folder(run):
            pytest.fail("two owners in one process")
        with pytest.raises(OcclumarkError, match="is in use"), owned_folder(run):
            pytest.fail("the refused one has taken the lock away")
        (run / "written").touch()
    assert list(run.iterdir()) == [run / "written"]


def test_a_folder_that_its_owner_made_and_left_empty_goes(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    for name, stays in (("new", False), ("mine", True)):
        with owned_folder(tmp_path / name):
            assert (tmp_path / name / LOCK_NAME).is_file()
        assert (tmp_path / name).exists() == stays


def test_the_lock_of_a_killed_owner_hinders_nobody(tmp_path: Path) -> None:
    owner = start(OWNING, tmp_path)
    owner.kill()
    owner.communicate()
    assert (tmp_path / LOCK_NAME).exists()
    with owned_folder(tmp_path):
        assert str(owner.pid) not in (tmp_path / LOCK_NAME).read_text().split()
    assert not (tmp_path / LOCK_NAME).exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
def test_a_worker_that_outlives_its_owner_does_not_keep_the_folder(tmp_path: Path) -> None:
    fork = "    import os, time\n    read, write = os.pipe()\n"
    fork += "    if not os.fork(): os.write(write, b'x'); time.sleep(60)\n    os.read(read, 1)\n"
    code = OWNING.replace("    print", f"{fork}    print")
    owner = start(f"import os; os.setpgrp()\n{code}", tmp_path)
    owner.kill()
    owner.wait()
    try:
        with owned_folder(tmp_path):
            pass
    finally:
        os.killpg(owner.pid, signal.SIGKILL)
        owner.communicate()


def test_a_folder_that_cannot_be_made_has_no_owner(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    message = f"^cannot write the folder {tmp_path / 'file' / 'run'}: Not a directory$"
    with pytest.raises(OcclumarkError, match=message), owned_folder(tmp_path / "file" / "run"):
        pytest.fail("no folder")


def test_without_locks_a_folder_is_taken_with_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fcntl.flock", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOLCK, "No locks available")))
    with pytest.warns(UserWarning, match="without locks"), owned_folder(tmp_path):
        pass


def test_a_table_is_written_whole_and_quoted(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    write_csv(path, ["name", "error"], [["a, b", 0.5], ['say "x"', ""], ["é", None]])
    assert path.read_bytes().decode() == 'name,error\n"a, b",0.5\n"say ""x""",\né,\n'

    def broken() -> Iterator[list[str]]:
        yield ["c"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_csv(path, ["name"], broken())
    assert path.read_text(encoding="utf-8").startswith("name,error") and [p.name for p in tmp_path.iterdir()] == [
        "table.csv"
    ]
