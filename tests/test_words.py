"""Words with one meaning each: those of docs/README.md, not the ones that they replaced."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLACES = ("occlumark", "paper", "benchmarks", "studies", "examples", "configs", "docs")
FILES = sorted(
    path
    for path in [
        *set(ROOT.glob("*.md")) - {ROOT / "CHANGELOG.md"},
        *(path for place in PLACES for path in (ROOT / place).rglob("*")),
    ]
    if path.suffix in {".py", ".md", ".toml"}
)
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in FILES}

#: Configurations, checkpoints and logs of old names are read by these.
READ = {"occlumark/model/refinement.py", "occlumark/model/refinement_objective.py", "occlumark/train/checkpoint.py"}
#: Of Face.hidden() speak these.
HIDDEN = {"occlumark/face.py", "occlumark/draw.py", "occlumark/cli/detect.py", *READ}
#: What replaced it, the pattern of the old word, and where it may stand: as another word, or to be read in old files.
OLD_WORDS = [
    ("occluded (true), visibility (predicted)", r"(?<![.\w])hidden(?![\w(])", HIDDEN),
    ("predicted occluded", r"\bcalled hidden\b|\bcalls? \w* ?hidden\b", set()),
    ("stage, scale, predict, crop", r"\b(second|another|each|two|first) looks?\b(?! at)|\b_?look\(|\.looks?\b", READ),
    (
        "mask, occlude, occlusion",
        r"\b_?[Cc]over(s|ed|ing|_\w+)?\b",
        {"occlumark/occluders/objects.py", "paper/ablation_logs.py"},
    ),
    ("recrop", r"--passes\b|\bpasses=", {"occlumark/detect.py", "occlumark/cli/options.py"}),
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

#: Their old word is still about.
NOT_YET = {"occluded (true), visibility (predicted)", "mask, occlude, occlusion", "per photo"}


@pytest.mark.parametrize(("new", "old", "allowed"), OLD_WORDS, ids=[new for new, _, _ in OLD_WORDS])
def test_the_old_word_is_gone(new, old, allowed):
    if new in NOT_YET:
        pytest.skip("the old word is still about")
    found = [
        f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {match.group(0)}"
        for name, text in TEXTS.items()
        if name not in allowed
        for match in re.finditer(old, text)
    ]
    assert found == [], f"say: {new}"
