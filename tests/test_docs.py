"""The README and the docs say what is so: their code runs, their commands parse, their links and headings are there."""

import dataclasses
import inspect
import re
import shlex
from functools import cache
from pathlib import Path

import pytest

import occlumark
from occlumark.cli.main import build_parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CODE = ("occlumark", "paper", "benchmarks", "studies", "examples", "configs", "annotations", "tests")
PAGES = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
    *(page for folder in CODE for page in sorted((ROOT / folder).rglob("*.md"))),
]


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def commands(page: Path) -> list[str]:
    """The occlumark commands of a page's shell blocks, lines that end in a backslash joined, comments left out."""
    lines = [line for block in blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines()]
    lines = [line.split(" #")[0].split(">")[0].strip() for line in lines]
    return [line for line in lines if line.startswith("occlumark ")]


@cache
def anchors(page: Path) -> dict[str, str]:
    """The headings of a page by the anchor that GitHub gives them."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-"): heading for heading in headings}


@cache
def references() -> list[tuple[str, str, str]]:
    """Where code names a page of docs/, the page, and the heading if one stands in quotes after it."""
    found = []
    files = [file for folder in CODE for ending in ("*.py", "*.toml") for file in (ROOT / folder).rglob(ending)]
    for file in [*files, ROOT / "Makefile", ROOT / "pyproject.toml"]:
        text = re.sub(r"\s*\n\s*#?:?\s*", " ", file.read_text(encoding="utf-8"))
        for page, heading in re.findall(r"\b(docs/[\w/-]+\.md)(?:, \"([^\"]+)\")?", text):
            found.append((name_of(file), page, heading))
    return found


@pytest.mark.parametrize(
    "name",
    [
        *(
            "detect",
            "train",
            "evaluate",
            "evaluate-finder",
            "evaluate-occlusion",
            "evaluate-visibility",
            "export",
            "pack",
            "demo",
        ),
        "background",
        *("check-data", "occluders", "video", "bulk"),
    ],
)
def test_every_command_is_in_the_docs(name):
    assert any(command.split()[1] == name for page in PAGES for command in commands(page))


@pytest.mark.parametrize(
    ("page", "command"),
    [pytest.param(page, command, id=f"{name_of(page)}: {command}") for page in PAGES for command in commands(page)],
)
def test_the_commands_parse(page, command):
    parsed = build_parser().parse_args(shlex.split(command)[1:])
    assert callable(parsed.run)


def test_the_readmes_set_up_is_two_commands():
    first = [line.split("#")[0].strip() for line in blocks(ROOT / "README.md", "sh")[0].splitlines()]
    assert first == ["make demo", "make test"]
    assert README.index("docs/demo.jpg") < README.index("make demo")


@pytest.mark.parametrize(
    ("page", "number"),
    [pytest.param(page, n, id=f"{name_of(page)} {n}") for page in PAGES for n in range(len(blocks(page, "python")))],
)
def test_the_python_runs(page, number, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    code = blocks(page, "python")[number]
    if re.search(r"^import pyarrow\b", code, re.MULTILINE):
        pytest.importorskip("pyarrow", reason="needs the bulk extra")
    exec(compile(code, name_of(page), "exec"), {})
    assert capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_to_files_and_headings(page):
    links = re.findall(r"\]\((?!https?:)([^)#\s]*)#?([^)\s]*)\)", page.read_text(encoding="utf-8"))
    missing = []
    for target, anchor in links:
        file = page.parent / target if target else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            missing.append(f"{target}#{anchor}")
    assert missing == []


@pytest.mark.parametrize(
    ("index", "pages"),
    [("docs/README.md", "docs/*.md"), ("docs/experiments/README.md", "docs/experiments/*.md"), ("README.md", "*.md")],
)
def test_every_page_is_on_its_map(index, pages):
    listed = {(ROOT / index).parent / link for link in re.findall(r"\]\(([^)#]+)", (ROOT / index).read_text("utf-8"))}
    listed = {path.resolve() for path in listed} | {ROOT / index}
    assert [name_of(page) for page in ROOT.glob(pages) if page not in listed] == []


@pytest.mark.parametrize("folder", ["benchmarks", "studies", "examples"])
def test_every_script_is_in_its_folders_list(folder):
    page = (ROOT / folder / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in (ROOT / folder).glob("*.py") if f"`{path.name}`" not in page] == []


def test_pages_and_headings_that_code_refers_to_are_there():
    assert len([heading for _, _, heading in references() if heading]) > 10
    wrong = [
        f'{where}: {page}, "{heading}"'
        for where, page, heading in references()
        if not (ROOT / page).exists() or (heading and heading not in anchors(ROOT / page).values())
    ]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_files_named_in_the_pages_exist(page):
    named = re.findall(
        r"`((?:occlumark|benchmarks|studies|examples|configs|docs|tests)/[\w./-]*)`", page.read_text(encoding="utf-8")
    )
    assert [name for name in named if "ROW" not in name and not (ROOT / name).exists()] == []


def test_the_citation_is_of_this_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {occlumark.__version__}\n" in citation


def config_sections(kind: type) -> set[type]:
    """A configuration and all the configurations within it."""
    factories = [f.default_factory for f in dataclasses.fields(kind) if f.default_factory is not dataclasses.MISSING]
    inner = [type(factory()) for factory in factories]
    return {kind}.union(*(config_sections(section) for section in inner if dataclasses.is_dataclass(section)))


def test_every_configuration_field_is_read_and_documented():
    """A field that no code reads, or that says nothing of itself, is a setting in name only."""
    pytest.importorskip("torch", reason="needs the train extra")
    from occlumark.train.config import KINDS

    sections = set().union(*(config_sections(kind) for kind in KINDS.values()))
    fields = {(section, field.name) for section in sections for field in dataclasses.fields(section)}
    assert {"epochs", "width", "probability", "beta", "canvases", "neck", "focus"} <= {name for _, name in fields}
    source = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "occlumark").rglob("*.py"))
    assert [name for _, name in fields if not re.search(rf"\.{name}\b", source)] == []
    own = {section: "\n".join(inspect.getsource(kind) for kind in section.__mro__[:-1]) for section in sections}
    undocumented = [
        f"{section.__name__}.{name}"
        for section, name in fields
        if not re.search(rf"^    {name}: .*\n    \"\"\"", own[section], re.MULTILINE)
    ]
    assert undocumented == []
