"""The README and the docs say what is so: their code runs, their commands parse, their links lead somewhere."""

import dataclasses
import inspect
import re
import shlex
from pathlib import Path

import pytest

import occlumark
from occlumark.cli.main import build_parser

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    lines = [line.split("#")[0].strip() for block in blocks("sh") for line in block.splitlines()]
    return [line.split(">")[0].strip() for line in lines if line.startswith("occlumark ")]


@pytest.mark.parametrize(
    "name", ["detect", "train", "evaluate", "evaluate-finder", "export", "pack", "demo", "check-data"]
)
def test_every_command_is_in_the_readme(name):
    assert f"occlumark {name}" in README


@pytest.mark.parametrize("command", commands())
def test_the_readmes_commands_parse(command):
    parsed = build_parser().parse_args(shlex.split(command)[1:])
    assert callable(parsed.run)


def test_the_readmes_set_up_is_two_commands():
    first = [line.split("#")[0].strip() for line in blocks("sh")[0].splitlines()]
    assert first == ["make demo", "make test"]
    assert README.index("docs/demo.jpg") < README.index("make demo")


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_the_readmes_python_runs(number, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    exec(compile(blocks("python")[number], "README.md", "exec"), {})
    assert capsys.readouterr().out


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    targets = re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8"))
    missing = [t for t in targets if not t.startswith("http") and not (page.parent / t).exists()]
    assert missing == []


def test_files_named_in_the_readme_exist():
    named = re.findall(r"`((?:occlumark|benchmarks|configs|docs)/[\w./]*)`", README)
    assert len(named) > 5
    assert [name for name in named if not (ROOT / name).exists()] == []


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
