import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from occlumark.cli.main import main
from occlumark.face import Face
from occlumark.packaged import packaged_weights
from occlumark.photo import read_photo
from occlumark.photo.formats import READ_FORMATS


@pytest.fixture
def astronaut(request, tmp_path):
    return shutil.copy(request.config.rootpath / "occlumark/samples/astronaut.jpg", tmp_path / "astronaut.jpg")


@pytest.fixture
def run(dot_network, capsys):
    def run_detect(*arguments) -> tuple[int, list[str], list[str]]:
        code = main(["detect", *map(str, arguments), "--weights", str(dot_network), "--threads", "1"])
        captured = capsys.readouterr()
        return code, captured.out.splitlines(), captured.err.splitlines()

    return run_detect


def black(path, height=60, width=80):
    Image.fromarray(np.zeros((height, width, 3), np.uint8)).save(path)
    return path


def test_json_of_a_photo(run, astronaut):
    code, (line,), notes = run(astronaut, "--json")
    values = json.loads(line)
    assert code == 0 and notes == []
    assert (values["photo"], values["width"], values["height"]) == (str(astronaut), 512, 512)
    (face,) = values["faces"]
    assert len(line) < 6000 and len(face["box"]) == 4 and 0 < face["score"] <= 1
    assert np.array(face["landmarks"]).shape == (68, 2) and len(face["visibility"]) == 68
    assert Face.from_json(face).to_json() == face


def test_a_readable_line_a_face(run, astronaut):
    code, (line,), _ = run(astronaut)
    assert code == 0 and line.startswith(f"{astronaut}: face 1, box 1") and line.endswith("68 landmarks hidden")
    assert ", score 0." in line
    (line,) = run(astronaut, "--box", 1, 1, 50, 50)[1]
    assert ", own box, " in line


def test_csv_is_one_table_for_all_photos(run, astronaut, tmp_path):
    black(tmp_path / "black.png")
    code, lines, _ = run(tmp_path, tmp_path / "none.jpg", astronaut, "--format", "csv")
    rows = list(csv.DictReader(lines))
    assert code == 1 and [(row["photo"], row["face"]) for row in rows] == [(str(astronaut), "1")] * 2
    (face,) = json.loads(run(astronaut, "--format", "json")[1][0])["faces"]
    assert [[float(rows[0][f"{axis}{i}"]) for axis in "xy"] for i in range(68)] == face["landmarks"]
    assert run(tmp_path / "black.png", "--format", "csv")[1] == [lines[0]]


def test_coco_is_one_document_for_all_photos(run, astronaut, tmp_path):
    black(tmp_path / "black.png")
    code, (line,), _ = run(tmp_path, "--format", "coco")
    document = json.loads(line)
    names = [image["file_name"] for image in document["images"]]
    assert code == 0 and names == [str(astronaut), str(tmp_path / "black.png")]
    (annotation,) = document["annotations"]
    (face,) = json.loads(run(astronaut, "--json")[1][0])["faces"]
    assert annotation["image_id"] == 1
    assert np.array(annotation["keypoints"]).reshape(68, 3)[:, :2].tolist() == face["landmarks"]


def test_pts_is_a_file_a_face_and_no_file_is_overwritten(run, astronaut, tmp_path):
    (tmp_path / "sub").mkdir()
    shutil.copy(astronaut, tmp_path / "sub" / "astronaut.jpg")
    boxes = ["--box", "190", "100", "262", "170", "--box", "10", "10", "50", "60"]
    to = tmp_path / "points"
    code, lines, _ = run(astronaut, "--format", "pts", "--to", to, *boxes)
    assert code == 0 and lines == [str(to / "astronaut.pts"), str(to / "astronaut_2.pts")]
    faces = json.loads(run(astronaut, "--json", *boxes)[1][0])["faces"]
    for line, face in zip(lines, faces, strict=True):
        points = np.array([row.split() for row in Path(line).read_text().splitlines()[3:-1]], float)
        np.testing.assert_allclose(points - 0.5, face["landmarks"], atol=0.006)
    code, lines, (note,) = run(astronaut, "--format", "pts", "--to", to)
    assert (code, lines) == (1, [])
    assert note.endswith("astronaut.pts is there already, and may be an annotation; name another --to")
    names = run(tmp_path, "--format", "pts", "--to", tmp_path / "more")[1]
    assert [Path(name).name for name in names] == ["astronaut.pts", "astronaut-2.pts"]


def test_boxes_are_taken_as_given(run, astronaut):
    boxes = ["--box", "190", "100", "262", "170.5", "--box", "-5", "0", "50", "60"]
    code, (line,), _ = run(astronaut, "--json", *boxes)
    faces = json.loads(line)["faces"]
    assert code == 0
    assert [face["box"] for face in faces] == [[190, 100, 262, 170.5], [-5, 0, 50, 60]]
    assert [face["score"] for face in faces] == [1, 1]


@pytest.mark.parametrize(
    ("box", "message"),
    [
        ("600 0 700 100", "box 600 0 700 100 is outside the photo of 512 x 512 pixels"),
        ("262 100 190 170", "box 262 100 190 170 is inverted: expected x0 < x1 and y0 < y1"),
        ("nan 100 190 170", "box nan 100 190 170 is not four finite numbers"),
    ],
)
def test_bad_boxes_are_one_line(run, astronaut, tmp_path, box, message):
    out = tmp_path / "out"
    assert run(astronaut, "--box", *box.split(), "--out", out) == (1, [], [f"occlumark: {message}"])
    assert not out.exists()


@pytest.mark.parametrize("size", [(60, 80), (1, 1), (1, 5000)])
def test_no_face_is_an_empty_list_and_a_note(run, tmp_path, size):
    path = black(tmp_path / "black.png", *size)
    code, (line,), notes = run(path, "--json")
    assert code == 0 and json.loads(line)["faces"] == []
    assert notes == [f"occlumark: no face found in {path}"]


def test_one_bad_photo_does_not_stop_the_rest(run, astronaut, tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"text")
    black(tmp_path / "z.png")
    code, lines, notes = run(tmp_path, tmp_path / "none.jpg", "--json")
    assert code == 1
    assert [json.loads(line)["photo"] for line in lines] == [str(astronaut), str(tmp_path / "z.png")]
    assert notes == [
        f"occlumark: no face found in {tmp_path / 'z.png'}",
        f"occlumark: cannot read {tmp_path / 'a.jpg'}: not a photo ({READ_FORMATS})",
        f"occlumark: cannot read {tmp_path / 'none.jpg'}: no such file",
        "occlumark: 2 of 4 photos failed",
    ]


def test_jobs_say_the_same_in_the_same_order(run, astronaut, tmp_path):
    photos = [black(tmp_path / f"{n}.png", 40 + n) for n in range(12)]
    photos[3:3] = [tmp_path / "none.jpg", astronaut]
    (tmp_path / "text.jpg").write_text("no photo")
    one, many = (
        run(*photos, tmp_path / "text.jpg", "--json", "--jobs", n, "--out", tmp_path / f"out{n}") for n in (1, 3)
    )
    assert one == many and one[0] == 1 and len(one[1]) == 13
    pictures = sorted(path.name for path in (tmp_path / "out1").iterdir())
    assert len(pictures) == 13 and pictures == sorted(path.name for path in (tmp_path / "out3").iterdir())


def test_one_missing_photo_is_one_line(run, tmp_path):
    assert run(tmp_path / "none.jpg") == (1, [], [f"occlumark: cannot read {tmp_path / 'none.jpg'}: no such file"])


def test_a_folder_without_photos(run, tmp_path):
    code, lines, (note,) = run(tmp_path)
    assert (code, lines) == (1, []) and note.startswith(f"occlumark: no photo in folder {tmp_path}")


def test_megapixel_limit(run, tmp_path):
    path = black(tmp_path / "black.png", 100, 100)
    assert run(path, "--max-megapixels", "0.01")[0] == 0
    code, _, (note,) = run(path, "--max-megapixels", "0.0099")
    assert code == 1 and "100 x 100" in note


def test_picture_in_a_file(run, astronaut, tmp_path):
    plain, overlay = tmp_path / "new" / "plain.png", tmp_path / "overlay.png"
    assert run(astronaut, "--out", plain)[0] == run(astronaut, "--out", overlay, "--overlay")[0] == 0
    photo, drawn, veiled = map(read_photo, (astronaut, plain, overlay))
    assert drawn.shape == photo.shape and (drawn != photo).any()
    # The box is drawn in white, its left edge where --json says; far from the face nothing is drawn.
    left = round(json.loads(run(astronaut, "--json")[1][0])["faces"][0]["box"][0])
    assert drawn[130, left - 1 : left + 1].min(axis=1).max() > 200 > photo[130, left].min()
    np.testing.assert_array_equal(drawn[400:], photo[400:])
    assert (veiled != drawn).any(axis=2).sum() > 5000


def test_expected_errors_drawn_and_in_json(error_network, astronaut, tmp_path, capsys):
    plain, errors = tmp_path / "plain.png", tmp_path / "errors.png"
    command = ["detect", str(astronaut), "--weights", str(error_network), "--threads", "1", "--json", "--out"]
    assert main([*command, str(plain)]) == main([*command, str(errors), "--errors"]) == 0
    first, second = (json.loads(line)["faces"] for line in capsys.readouterr().out.splitlines())
    assert first == second and len(first[0]["expected_error"]) == 68
    error, at = first[0]["expected_error"][0], np.array(first[0]["landmarks"][0])
    changed = np.argwhere((read_photo(errors) != read_photo(plain)).any(axis=2))[:, ::-1] + 0.5
    assert error > 8  # photo pixels: the circle is apart from the dot
    assert abs(np.linalg.norm(changed - at, axis=1).max() - error) < 2


def test_errors_of_a_model_that_tells_none_are_one_line(run, astronaut, tmp_path):
    out = tmp_path / "out.png"
    message = "occlumark: model 'dot' predicts no expected error; leave --errors out or name another --model"
    assert run(astronaut, "--out", out, "--errors") == (1, [], [message])
    assert not out.exists()


def test_pictures_in_a_folder_never_meet(run, astronaut, tmp_path):
    (tmp_path / "sub").mkdir()
    copy = shutil.copy(astronaut, tmp_path / "sub" / "astronaut.jpg")
    before = astronaut.read_bytes()
    assert run(astronaut, copy, "--out", tmp_path)[0] == 0
    assert sorted(path.name for path in tmp_path.glob("*.jpg")) == [
        "astronaut-faces-2.jpg",
        "astronaut-faces.jpg",
        "astronaut.jpg",
    ]
    assert astronaut.read_bytes() == before


def test_pictures_keep_the_subfolders_of_a_folder(run, tmp_path):
    photos = [tmp_path / "photos" / name for name in ("a/1.png", "a/1.jpg", "b/c/1.png", "1.png")]
    for photo in photos:
        photo.parent.mkdir(parents=True, exist_ok=True)
        black(photo)
    alone = black(tmp_path / "1.png")
    out = tmp_path / "out"
    assert run(tmp_path / "photos", alone, "--out", out)[0] == 0
    drawn = {str(path.relative_to(out)) for path in out.rglob("*.jpg")}
    assert drawn == {"1-faces.jpg", "1-faces-2.jpg", "a/1-faces.jpg", "a/1-faces-2.jpg", "b/c/1-faces.jpg"}


def test_no_picture_leaves_its_folder(run, tmp_path, monkeypatch):
    for folder in ("in", "other"):
        (tmp_path / folder).mkdir()
        black(tmp_path / folder / f"{folder}.png")
    monkeypatch.chdir(tmp_path / "in")
    assert run(".", "../other/other.png", "--out", "../out")[0] == 0
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["in-faces.jpg", "other-faces.jpg"]
    assert len(list((tmp_path / "other").iterdir())) == 1


def test_a_photo_named_by_itself_is_one_by_any_spelling(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    black(tmp_path / "c.jpg")
    black(tmp_path / "c-faces.jpg")
    notes = run("./c.jpg", "./c-faces.jpg")[2]
    assert not any("left out" in note for note in notes) and sum("no face" in note for note in notes) == 2


def test_pictures_of_an_earlier_run_are_no_photos(run, astronaut, tmp_path):
    for out in (tmp_path, tmp_path / "drawn"):
        run(tmp_path, "--out", out)
    code, lines, (note,) = run(tmp_path, "--out", tmp_path)
    assert (code, len(lines)) == (0, 1)
    first = tmp_path / "astronaut-faces.jpg"
    assert note == f"occlumark: left out 2 pictures that detect had made, as {first}; name them to detect in them"
    assert len(run(astronaut, first)[1]) == 2  # named by itself


def test_standard_input_is_meant_where_a_folder_has_its_name(run, tmp_path, monkeypatch):
    (tmp_path / "-").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdin", None)
    assert run("-")[::2] == (1, ["occlumark: cannot read standard input: it is closed"])


def test_the_photo_itself_is_not_overwritten(run, astronaut):
    before = astronaut.read_bytes()
    code, _, (note,) = run(astronaut, "--out", astronaut)
    assert code == 1 and "would overwrite a photo" in note and astronaut.read_bytes() == before


@pytest.mark.parametrize("linked", [False, True])
def test_no_photo_is_overwritten_by_anothers_picture(run, astronaut, tmp_path, linked):
    named_like_a_picture = black(tmp_path / "astronaut-faces.jpg")
    before = named_like_a_picture.read_bytes()
    out = tmp_path
    if linked:
        out = tmp_path.with_name(f"{tmp_path.name}-link")
        out.symlink_to(tmp_path)
    code, lines, notes = run(astronaut, named_like_a_picture, "--out", out)
    assert (code, lines) == (1, [])
    assert notes == [
        f"occlumark: picture {out / 'astronaut-faces.jpg'} would overwrite a photo to detect in; name another --out"
    ]
    assert named_like_a_picture.read_bytes() == before and len(list(tmp_path.iterdir())) == 2


def test_a_missing_photo_and_an_existing_picture(run, tmp_path):
    picture = black(tmp_path / "picture.png")
    assert run(tmp_path / "none.jpg", "--out", picture)[2] == [
        f"occlumark: cannot read {tmp_path / 'none.jpg'}: no such file"
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["a.jpg", "b.jpg", "--box", "1", "2", "3", "4"],
        ["a.jpg", "b.jpg", "--out", "faces.jpg"],
        ["a.jpg", "--out", "faces.gif"],
        ["a.jpg", "--out", "pic.heic"],
        ["a.jpg", "--out", "faces.jgp"],
        ["a.jpg", "--out", "-"],
        ["a.jpg", "--out", "pic.pdf"],
        ["a.jpg", "--out", "pic.AVIF"],
        ["a.jpg", "--max-seconds", "0"],
        ["a.jpg", "--max-seconds", "nan"],
        ["a.jpg", "--overlay"],
        ["a.jpg", "--format", "pts"],
        ["a.jpg", "--to", "points"],
        ["a.jpg", "--json", "--format", "csv"],
        ["a.jpg", "--errors"],
        ["a.jpg", "--box", "1", "2", "3"],
        ["a.jpg", "--box", "1", "2", "3", "4", "--min-face", "40"],
        ["a.jpg", "--box", "1", "2", "3", "4", "--max-faces", "1"],
        ["a.jpg", "--model", "odn"],  # beside --weights
        ["a.jpg", "--threads", "0"],
        ["a.jpg", "--passes", "0"],
        ["a.jpg", "--recrop", "0"],
        ["a.jpg", "--recrop", "often"],
        ["a.jpg", "--recrop", "never", "--passes", "1"],
        ["a.jpg", "--max-megapixels", "0"],
        ["a.jpg", "--max-megapixels", "1e-7"],
        ["a.jpg", "--max-megapixels", "nan"],
        ["a.jpg", "--max-megapixels", "inf"],
        ["a.jpg", "--max-megapixels", "1e305"],
    ],
)
def test_wrong_usage_is_2(run, arguments, capsys):
    with pytest.raises(SystemExit) as caught:
        run(*arguments)
    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1].startswith("occlumark detect: error: ")


def test_a_packaged_model_by_name(astronaut, capsys):
    assert main(["detect", str(astronaut), "--json", "--model", "odn"]) == 0
    by_name = capsys.readouterr().out
    assert main(["detect", str(astronaut), "--json", "--weights", str(packaged_weights("odn")[0])]) == 0
    assert capsys.readouterr().out == by_name


@pytest.mark.parametrize("name", ["odm", "finder"])
def test_an_unknown_model_is_one_line_with_the_names_there_are(astronaut, tmp_path, capsys, name):
    for command in (["detect", str(astronaut)], ["demo", "--out", str(tmp_path / "demo")]):
        assert main([*command, "--model", name]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith(f"occlumark: no packaged model '{name}'; there is ") and "odn" in line.split("there")[1]
    assert not (tmp_path / "demo").exists()


def test_broken_weights(astronaut, tmp_path, capsys):
    (tmp_path / "text.onnx").write_text("text")
    assert main(["detect", str(astronaut), "--weights", str(tmp_path / "text.onnx")]) == 1
    assert main(["detect", str(astronaut), "--weights", str(tmp_path / "none.onnx")]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and all(line.startswith("occlumark: ") for line in lines)


@pytest.mark.parametrize("name", ["pic.heic", "pic.pdf", "pic.avif", "pic.mp4"])
def test_a_picture_of_a_format_that_is_not_written_names_those_that_are(run, astronaut, tmp_path, capsys, name):
    with pytest.raises(SystemExit):
        run(astronaut, "--out", tmp_path / name)
    assert f"--out writes .jpg, .jpeg, .png, .webp, not {(tmp_path / name).suffix}" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [astronaut]


def test_a_folder_may_have_a_dot_in_its_name(run, astronaut, tmp_path):
    assert run(astronaut, "--out", tmp_path / "results.v2")[0] == 0
    assert (tmp_path / "results.v2" / "astronaut-faces.jpg").is_file()


def test_formats_are_taken_by_content_and_no_picture_of_a_folder_is_passed_over(run, astronaut, tmp_path):
    pixels = np.zeros((60, 80, 3), np.uint8)
    for name, kind in {"b.jfif": "JPEG", "d.avif": "AVIF", "e.mpo": "MPO", "f": "PNG", "g.pbm": "PPM"}.items():
        Image.fromarray(pixels).convert("1" if name == "g.pbm" else "RGB").save(tmp_path / name, kind)
    (tmp_path / "c.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    (tmp_path / "h.psd").write_bytes(b"8BPS\0\1" + bytes(30))
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "numbers.bin").write_bytes(bytes(100))
    code, lines, notes = run(tmp_path, "--json")
    read = [json.loads(line)["photo"].removeprefix(f"{tmp_path}/") for line in lines]
    assert read == ["astronaut.jpg", "b.jfif", "d.avif", "e.mpo", "f", "g.pbm"]
    assert code == 1 and [note.split(":")[1].split("/")[-1] for note in notes[-3:-1]] == ["c.heic", "h.psd"]
    assert "h.psd: it is a Photoshop picture, and read are JPEG, PNG" in notes[-2]
    assert notes[-1] == "occlumark: 2 of 8 photos failed"


def test_a_folder_that_cannot_be_listed_does_not_stop_the_run(run, astronaut, tmp_path, monkeypatch):
    import os

    closed, scandir = tmp_path / "closed", os.scandir
    closed.mkdir()

    def refuse(path):
        if os.fspath(path) == str(closed):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", refuse)  # nothing is closed to the superuser
    code, lines, notes = run(tmp_path)
    assert code == 1 and len(lines) == 1 and lines[0].startswith(str(astronaut))
    assert notes == [
        f"occlumark: cannot read {closed}: Permission denied",
        "occlumark: 1 of 2 photos failed",
    ]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "more"), [("-", ()), ("/dev/stdin", ("--max-seconds", "60"))])
def test_a_photo_from_standard_input(dot_network, astronaut, tmp_path, name, more):
    command = [sys.executable, "-m", "occlumark", "detect", name, "--json", "--weights", str(dot_network), *more]
    piped = {"input": astronaut.read_bytes(), "capture_output": True}
    done = subprocess.run([*command, "--out", str(tmp_path)], **piped)
    assert (done.returncode, done.stderr) == (0, b"")
    values = json.loads(done.stdout)
    assert (values["photo"], values["width"], len(values["faces"])) == (name, 512, 1)
    assert (tmp_path / "stdin-faces.jpg").is_file()
    nothing = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert nothing.stderr == f"occlumark: cannot read {name.replace('-', 'standard input')}: it is empty\n"


def test_what_is_to_be_said_of_a_photo_is_said_once(run, tmp_path):
    frames = [Image.fromarray(np.full((60, 80, 3), value, np.uint8)) for value in (0, 50, 100)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "b.jpg")
    content = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(content[:-10])
    code, _, notes = run(tmp_path, "--json")
    said = [note for note in notes if "no face" not in note]
    assert code == 0 and said == [
        f"occlumark: {tmp_path / 'a.gif'} holds several pictures (an animation, pages or a burst): the first is read",
        f"occlumark: {tmp_path / 'b.jpg'} ends too early: 0 of its 60 rows are missing",
    ]


def test_photos_of_the_longest_names_get_pictures(run, astronaut, tmp_path):
    names = ["x" * 251 + ".jpg", "x" * 250 + "y.jpg", "ä" * 125 + ".jpg", "Short.jpg", "sub/short.jpg"]
    (tmp_path / "sub").mkdir()
    for name in names:
        shutil.copy(astronaut, tmp_path / name)
    out = tmp_path / "out"
    assert run(*(tmp_path / name for name in names), "--out", out)[0] == 0
    assert sorted(path.name for path in out.iterdir()) == sorted(
        [
            "x" * 235 + "-faces.jpg",
            "x" * 235 + "-faces-2.jpg",
            "ä" * 117 + "-faces.jpg",
            "Short-faces.jpg",
            "short-faces-2.jpg",
        ]
    )


def test_a_users_file_beside_the_picture_is_not_touched(run, astronaut, tmp_path):
    mine = tmp_path / "y.jpg.partial"
    mine.write_text("mine")
    assert run(astronaut, "--out", tmp_path / "y.jpg")[0] == 0
    assert mine.read_text() == "mine"


def test_a_large_jpeg_is_read_reduced_where_large_faces_are_asked_for(run, tmp_path):
    """A red dot of 8 x 8 pixels in the middle of the box; the picture that is drawn shows the whole photo."""
    photo = np.zeros((1600, 2400, 3), np.uint8)
    photo[796:804, 1196:1204, 0] = 255
    Image.fromarray(photo).save(tmp_path / "large.jpg", quality=98, subsampling=0)
    box = ("--box", 800, 400, 1600, 1200)
    sizes = []
    for options in ([], ["--out", tmp_path / "drawn.png"]):
        code, (line,), notes = run(tmp_path / "large.jpg", "--json", *box, *options)
        values = json.loads(line)
        assert (code, notes) == (0, [])
        assert (values["width"], values["height"]) == (2400, 1600)
        np.testing.assert_allclose(values["faces"][0]["landmarks"], np.tile([1200, 800], (68, 1)), atol=1)
        np.testing.assert_array_equal(values["faces"][0]["box"], box[1:])
        sizes.append(values["faces"][0]["landmarks"])
    assert sizes[0] != sizes[1]  # of other pixels
    assert read_photo(tmp_path / "drawn.png").shape == photo.shape
