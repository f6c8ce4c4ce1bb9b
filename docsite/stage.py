"""Brings the pages of the repository together for MkDocs, each where it lies, so that their links hold.

    python docsite/stage.py [--out build/docs-pages]      make docs does it

Pages that GitHub shows in folders (README.md) and files that they link to go along; links to folders lead to their
README.md.
"""

import argparse
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[1]
#: Folders whose pages are part of the site.
FOLDERS = (
    "docs",
    "annotations",
    "benchmarks",
    "configs",
    "examples",
    "occlumark/weights",
    "paper",
    "robustness",
    "studies",
)
_LINK = re.compile(r"\[(?P<text>[^\]]*)\]\((?P<target>[^)#\s]+)(?P<anchor>#[^)\s]*)?\)")


def stage(out: Path) -> list[Path]:
    """Copy the pages and what they link to.

    Returns:
        The pages, relative to out.

    Raises:
        FileExistsError: the folder holds something else.
    """
    if out.exists():
        if any(out.iterdir()) and not (out / "api.md").exists():
            raise FileExistsError(f"{out} holds files that are not the site's; name an empty folder or a former --out")
        shutil.rmtree(out)
    sources = [*sorted(ROOT.glob("*.md")), *(page for name in FOLDERS for page in sorted((ROOT / name).rglob("*.md")))]
    pages = [source.relative_to(ROOT) for source in sources]
    for page in pages:
        target = out / page
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(with_links(page, out), encoding="utf-8")
    shutil.copyfile(ROOT / "docsite" / "api.md", out / "api.md")
    return [*pages, Path("api.md")]


def with_links(page: Path, out: Path) -> str:
    """A page whose links to folders lead to their README.md; the files that it links to are copied."""

    def settled(match: re.Match[str]) -> str:
        text, target, anchor = match["text"], match["target"], match["anchor"] or ""
        file = (ROOT / page.parent / target).resolve()
        if "://" in target or not file.is_relative_to(ROOT) or not file.exists():
            return match[0]
        if file.is_dir():
            if not (file / "README.md").exists():
                return text  # a folder without a page has no place in a site
            target = f"{target.rstrip('/')}/README.md"
        elif file.suffix != ".md":
            copy = out / file.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, copy)
        return f"[{text}]({target}{anchor})"

    return _LINK.sub(settled, (ROOT / page).read_text(encoding="utf-8"))


def main() -> None:
    """Bring them together."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "build" / "docs-pages")
    args = parser.parse_args()
    try:
        print(f"{len(stage(args.out))} pages in {args.out}")
    except FileExistsError as error:
        parser.exit(1, f"docsite/stage.py: {error}\n")


if __name__ == "__main__":
    main()
