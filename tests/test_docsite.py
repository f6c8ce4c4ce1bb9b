"""The documentation as a site: every page of its menu is there, every public name is in its API page, links hold."""

import importlib.util
import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

import occlumark

ROOT = Path(__file__).parents[1]
MENU = re.findall(r": ([\w/-]+\.md)$", (ROOT / "docsite" / "mkdocs.yml").read_text("utf-8"), re.MULTILINE)


@pytest.fixture(scope="module")
def stage() -> ModuleType:
    """docsite/stage.py, which is in no package."""
    spec = importlib.util.spec_from_file_location("docsite_stage", ROOT / "docsite" / "stage.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_menu_leads_to_pages(stage, tmp_path):
    pages = {path.as_posix() for path in stage.stage(tmp_path / "pages")}
    assert len(MENU) > 15 and set(MENU) <= pages
    assert all((tmp_path / "pages" / page).exists() for page in pages)


def test_a_folder_of_other_files_is_left_alone(stage, tmp_path):
    (tmp_path / "thesis.tex").write_text("years", "utf-8")
    with pytest.raises(FileExistsError, match="holds files that are not the site's"):
        stage.stage(tmp_path)
    assert (tmp_path / "thesis.tex").read_text("utf-8") == "years"
    assert stage.stage(tmp_path / "pages") == stage.stage(tmp_path / "pages")


def test_all_pages_of_docs_are_in_the_menu():
    pages = {path.relative_to(ROOT).as_posix() for path in (ROOT / "docs").glob("*.md")}
    assert pages - set(MENU) == set()


def test_links_of_the_staged_pages_lead_somewhere(stage, tmp_path):
    out = tmp_path / "pages"
    for page in stage.stage(out):
        text = re.sub(r"```.*?```", "", (out / page).read_text("utf-8"), flags=re.DOTALL)
        targets = [target for target in re.findall(r"\]\(([^)#\s]+)", text) if "://" not in target]
        assert [target for target in targets if not (out / page.parent / target).is_file()] == [], page


def test_a_link_to_a_folder_leads_to_its_page_or_is_text(stage, tmp_path, monkeypatch):
    monkeypatch.setattr(stage, "ROOT", tmp_path)
    (tmp_path / "with").mkdir()
    (tmp_path / "without").mkdir()
    (tmp_path / "with" / "README.md").write_text("# With\n", "utf-8")
    (tmp_path / "a.png").write_bytes(b"picture")
    (tmp_path / "page.md").write_text("[x](with/) [y](without/) ![z](a.png) [w](https://a.b/c#d)", "utf-8")
    text = stage.with_links(Path("page.md"), tmp_path / "out")
    assert text == "[x](with/README.md) y ![z](a.png) [w](https://a.b/c#d)"
    assert (tmp_path / "out" / "a.png").read_bytes() == b"picture"


def test_every_public_name_is_in_the_api_page():
    """Under the module that defines it."""
    named = re.findall(r"^::: ([\w.]+)\.(\w+)$", (ROOT / "docsite" / "api.md").read_text("utf-8"), re.MULTILINE)
    assert set(occlumark.__all__) - {name for _, name in named} == {"__version__"}
    for module, name in named:
        value = getattr(importlib.import_module(module), name)
        assert getattr(value, "__module__", module) == module


@pytest.mark.slow
def test_the_site_is_built_without_a_warning(stage, tmp_path):
    python = ROOT / ".venv-docs" / "bin" / "python"
    if not python.exists():
        pytest.skip("needs MkDocs: run `make docs` once")
    text = (ROOT / "docsite" / "mkdocs.yml").read_text("utf-8")
    stage.stage(tmp_path / "pages")
    config = tmp_path / "mkdocs.yml"
    text = text.replace("../build/docs-pages", "pages").replace("../build/docs", "site").replace("[..]", f"[{ROOT}]")
    config.write_text(text, "utf-8")
    run = subprocess.run([python, "-m", "mkdocs", "build", "--quiet", "-f", config], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert "occlumark.detect.Detector" in (tmp_path / "site" / "api.html").read_text("utf-8")
