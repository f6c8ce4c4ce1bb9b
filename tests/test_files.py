from pathlib import Path

import pytest

from occlumark.errors import OcclumarkError
from occlumark.files import written_whole


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
