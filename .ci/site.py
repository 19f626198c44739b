"""Build the documentation site: `python .ci/site.py FOLDER`, in the root of a clone.

Pages have the same paths in the site as in the repository, so that links between them work in both. Each module of the
packages gets a page of its docstrings. A broken link makes the build fail.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

#: A script of the site, named in mkdocs.yml, that makes search work on pages opened from disk.
SHIM = "iframe-worker.js"
PACKAGES = ("bench", "mdgan", "baselines", "study_app")
#: Folders of docs/ by their heading in the navigation, then pages outside these folders.
FOLDERS = {
    "Tutorials": "docs/tutorials",
    "How-to guides": "docs/how-to",
    "Reference": "docs/reference",
    "Explanation": "docs/explanation",
    "Guide": "docs",
}
SECTIONS = {
    "Results": ["results/README.md", "results/reference/README.md", "results/leaderboard/README.md"],
    "Project": ["CONTRIBUTING.md", "CHANGELOG.md"],
}


def title(page: Path) -> str:
    """The first heading of a page."""
    found = re.search(r"^# (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return found[1].strip() if found else page.stem


def linked(root: Path, page: Path) -> list[Path]:
    """Files other than pages that a page links to or shows."""
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)", text)
    files = [(page.parent / target).resolve() for target in targets if "://" not in target]
    return [path for path in files if path.is_file() and path.suffix != ".md" and path.is_relative_to(root)]


def guides(root: Path, folder: str) -> list[Path]:
    """Pages of a folder of docs/, in the order of the index of docs/; pages that it does not name are last."""
    named = re.findall(r"\]\(([\w/-]+\.md)\)", (root / "docs" / "README.md").read_text(encoding="utf-8"))
    places = {root / "docs" / name: place for place, name in enumerate(dict.fromkeys(named))}
    pages = sorted(path for path in (root / folder).glob("*.md") if path.name != "README.md")
    return sorted(pages, key=lambda page: places.get(page, len(places)))


def lay_out(root: Path, source: Path) -> list[object]:
    """Copy the pages, write those of the API, and return the navigation."""
    index = root / "docs" / "README.md"
    by_section = {name: guides(root, folder) for name, folder in FOLDERS.items()}
    by_section |= {name: [root / page for page in pages] for name, pages in SECTIONS.items()}
    for page in [root / "README.md", index, *(page for pages in by_section.values() for page in pages)]:
        for path in [page, *linked(root, page)]:
            target = source / path.relative_to(root)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    (source / "assets").mkdir(exist_ok=True)
    shutil.copyfile(root / ".ci" / SHIM, source / "assets" / SHIM)
    navigation: list[object] = [{"Start": "README.md"}, {title(index): "docs/README.md"}]
    for name, pages in by_section.items():
        if pages:
            navigation.append({name: [{title(page): page.relative_to(root).as_posix()} for page in pages]})
    return [*navigation, {"API": [{package: modules(root, source, package)} for package in PACKAGES]}]


def modules(root: Path, source: Path, package: str) -> list[str]:
    """Write a page for each module of a package, except migrations and `__main__`, and return the pages."""
    pages = []
    for path in sorted((root / package).rglob("*.py")):
        name = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
        if "migrations" in path.parts or path.name == "__main__.py":
            continue
        page = source / "api" / f"{name}.md"
        page.parent.mkdir(exist_ok=True)
        page.write_text(f"# `{name}`\n\n::: {name}\n", encoding="utf-8")
        pages.append(page.relative_to(source).as_posix())
    return pages


def main(root: Path, out: Path) -> int:
    """Build the site of a clone into a folder, and return the generator's exit status."""
    with tempfile.TemporaryDirectory() as temporary:
        source = Path(temporary) / "pages"
        settings = {
            "INHERIT": str(root / "mkdocs.yml"),
            "docs_dir": str(source),
            "site_dir": str(out.resolve()),
            "nav": lay_out(root, source),
        }
        config = Path(temporary) / "mkdocs.yml"
        config.write_text(json.dumps(settings), encoding="utf-8")  # JSON is YAML
        command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "-f", str(config)]
        # Without the variable, the theme prints a notice about its successor at every build.
        return subprocess.run(command, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path.cwd(), Path(sys.argv[1])))
