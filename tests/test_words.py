"""Words with one meaning each: those of docs/README.md, not the ones that they replaced."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLACES = ("occlumark", "paper", "benchmarks", "studies", "examples", "configs", "annotations", "docs")
FILES = sorted(
    path
    for path in [
        *set(ROOT.glob("*.md")) - {ROOT / "CHANGELOG.md"},
        *(path for place in PLACES for path in (ROOT / place).rglob("*")),
    ]
    if path.suffix in {".py", ".md", ".toml"}
)
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in FILES}

#: Files that read configurations, checkpoints and logs of older names.
READ = {"refinement.py", "refinement_objective.py", "checkpoint.py", "scene_augment.py", "ablation_logs.py"}
#: What replaced it, the pattern of the old word, and the files where it may stand: of Face.hidden(), or another word.
OLD_WORDS = [
    (
        "occluded (true), visibility (predicted)",
        r"(?<![.\w])hidden(?![\w(])|\bhidden_(?!regions|below)\w+|\w_hidden\b",
        {"face.py", "face_text.py", "draw.py", "detect.py", *READ},
    ),
    ("predicted occluded", r"\bcalled hidden\b|\bcalls? \w* ?hidden\b", set()),
    ("stage, scale, predict, crop", r"\b(second|another|each|two|first) looks?\b(?! at)|\b_?look\(|\.looks?\b", READ),
    (
        "mask, occlude, occlusion",
        r"\b(un|_)?[Cc]over(s|ed|ing|_\w+)?\b|\w_cover(ed)?\b",
        {"objects.py", *READ},
    ),
    ("recrop", r"--passes\b|\bpasses=", {"detect.py", "options.py"}),
    ("RefinementStage, TransformerBlock", r"\b_Look\b|\b_Round\b|\bhear (of|from)\b", set()),
    ("negatives, P_supervision", r"\btaught\b|\brefinement\.(shown|trust)\b|\bplaces? learns?\b", READ),
    ("clean, unoccluded", r"\bopen (faces?|ones)\b|\bfaces? open\b|\bopen to covered\b", set()),
    ("false positives (per image)", r"\bmade up\b|\bfalse (faces|ones) a photo\b|\bfalse faces\b", set()),
    ("ignored in the loss", r"\bteach(es)? nothing\b|\bteach neither\b", set()),
    ("excluded from all statistics", r"\bin no (number|error|precision)\b", set()),
    ("source", r"\bwhere (it|each) is (to be )?had\b", set()),
    ("fixed", r"\bmended\b", set()),
    ("another convention", r"\bof another habit\b", set()),
    ("predicts no expected error", r"\btells? (no|an) expected error\b|\btells_expected_error\b", set()),
    ("distributed, run_log, hash_fraction", r"\b_lot\b|\btrain[./](processes|record)\b", set()),
    ("log-uniformly", r"\bevenly in the logarithm\b", set()),
    ("per photo", r"\b(object|line|faces|ms|row) a photo\b", set()),
]


@pytest.mark.parametrize(("new", "old", "allowed"), OLD_WORDS, ids=[new for new, _, _ in OLD_WORDS])
def test_the_old_word_is_gone(new, old, allowed):
    found = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match.group(0)}"
        for name, text in TEXTS.items()
        if Path(name).name not in allowed
        for match in re.finditer(old, text)
    ]
    assert found == [], f"say: {new}"


@pytest.mark.parametrize(
    "line",
    [
        "the share of hidden points",
        "hidden_landmarks(alpha)",
        "two looks in place of one",
        "faces that a hand covers",
        "cover_share(crop)",
        "Detector(passes=1)",
        "P is taught the occluders",
        "points of open faces",
        "0.1 false faces a photo",
        "they teach nothing",
        "such faces are in no number",
        "where it is had",
        "boxes of another habit",
        "odn tells no expected error",
        "one JSON object a photo",
    ],
)
def test_an_old_word_is_seen(line):
    assert any(re.search(old, line) for _, old, _ in OLD_WORDS)


def test_other_words_are_not():
    """Face.hidden(), its regions and threshold, a discovered cover-up, a look at the disk."""
    lines = ["face.hidden()", "hidden_regions", "hidden_below=0.5", "discovered", "one look at the disk", "occluded"]
    assert [line for line in lines if any(re.search(old, line) for _, old, _ in OLD_WORDS)] == []
