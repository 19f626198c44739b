"""Check the words of the documentation: `python .ci/prose.py [PAGE ...]`, in the root of a clone; all pages by default.

Sentences of paragraphs and list items count, without code, tables and headings. The mean sentence has at most 17 words,
at most 6 % have more than 30, and terms that have a better name are absent. Texts that people read on a page or in a
terminal are checked for terms too: the raters' texts, every `--help`, and the messages and notes in the code.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt

#: Words of a mean sentence; words of a long one; share of long ones.
MEAN, LONG, SHARE = 17.0, 30, 0.06
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "results/*.md", "results/*/README.md", "docs/**/*.md")
#: What to write in place of a term.
TERMS = {
    r"\btrainings\b|\b(a|one) training\b(?! (run|step|set|split|loop|clip|log|command|data|session))": "training run",
    r"beside each other": "side by side (what is seen), in parallel (what runs)",
    r"(?<!ad)\bverbs?\b": "subcommand",
    r"\b(houses?|rooms?|floors?)\b": "architecture, package, layer; split-half",
    r"(?<!file )(?<!operating )(?<!file-)\bsystems?\b": "method",
    r"half against half": "Real vs. real (split-half)",
    r"\b(goes|go|going|went) on\b": "resumes, continues",
    r"\b(any|every)body('s|s')|\bwhoever\b": "your, third-party, people who",
    r"\b(takes?|taken) for granted": "assumes",
    r"\bone cannot tell\b|\bnot decided\b": "inconclusive",
    r"\b(is|are) before (VGAN|RNN|MD-GAN|Real|copy|[A-Z]\b)": "outperforms",
    r"\bstamps?\b|\bstamped\b": "protocol ID",
    r"one video after (another|the other)": "delete-one-cluster jackknife",
    r"signs of whole videos": "cluster sign-flip test",
    r"\bplain (way|loop)\b": "reference implementation",
    r"\b(built-in|embedded|synthetic) (synthetic )?(scenes?|skies)\b": "the synthetic dataset",
    r"\bSky Scene\b": "Sky Time-lapse",
    r"\bso many\b": "N, at most N",
    r"\bwith commas\b": "comma-separated",
    r"\bin a sentence\b": "an error message",
    r"\bat hand\b|\bhands on\b|\bin print\b|\b(is|are) due\b": "required, available, outputs, display name",
    r"\b(files?|folders?|tables?|pages?|column|number|value|figure|names?) (that )?(stands?|lies?)\b"
    r"|\bstands? in\b|\blies? in\b|\b(stands?|lies?) (beside|below|above|under|there)\b": "contains, appears, is",
    r"(?<!\bthere )\bis no "
    r"(checkpoint|folder|file|video|clip|run|number|metric|model|method|study|dataset)\b": "is not a …",
}
#: Where a term is right: what the sentence contains, and why.
EXCEPTIONS = {
    "the paper calls it Sky Scene": "the paper's own name, given once",
    "time stamp": "the ordinary word for a recorded time",
    "Sky Scene (997": "the same, in a note on the paper's table",
    "for these trainings": "a value in CSV files, which stays",
    "over trainings": "the same",
    "system-ui": "a font",
    "Unknown synthetic scene": "one of the scenes of the dataset",
}
#: Packages whose messages people read, and the file whose sentences a study's registration hashes.
PACKAGES, HASHED = ("bench", "baselines", "mdgan", "study_app"), "study_app/pipeline/registration.py"


def words(sentence: str) -> int:
    """How many words a sentence has. Signs alone are none."""
    return sum(bool(re.search(r"\w", word)) for word in sentence.split())


def texts(page: str) -> Iterator[tuple[int, str, bool]]:
    """The texts of a Markdown page: its line, the text, and whether it is prose (and not a cell or a heading)."""
    line, kind = 1, ""
    for token in MarkdownIt("commonmark").enable("table").parse(page):
        if token.type in ("paragraph_open", "heading_open", "th_open", "td_open"):
            kind = token.type
            line = token.map[0] + 1 if token.map else line
        if token.type == "inline":
            parts = []
            for child in token.children or []:
                if child.type == "code_inline":
                    parts.append("CODE")
                elif child.type in ("text", "softbreak"):
                    parts.append(child.content or " ")
            text = "".join(parts).strip()
            if text and not text.startswith("!!!"):
                yield line, text, kind == "paragraph_open"


def sentences(text: str) -> list[str]:
    """A paragraph's sentences."""
    text = re.sub(r"\b(e\.g|i\.e|vs|al|Fig|cf|approx|resp)\.", r"\1", text)
    return [part for part in re.split(r"(?<=[.!?])[)”]?\s+", text) if words(part) > 1]


def terms(text: str) -> Iterator[tuple[str, str]]:
    """The terms in a text that have a better name: the term and the name."""
    for exception in EXCEPTIONS:
        text = text.replace(exception, "")
    for pattern, better in TERMS.items():
        for found in re.finditer(pattern, text, re.IGNORECASE):
            yield found[0], better


def other_texts(root: Path) -> Iterator[tuple[str, str]]:
    """What people read elsewhere: where, and the text."""
    for name, text in _strings(json.loads((root / "study_app/locales/en.json").read_text(encoding="utf-8"))):
        yield f"study_app/locales/en.json: {name}", text
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if name != HASHED and "migrations" not in path.parts:
                for line, text in literals(path.read_text(encoding="utf-8")):
                    yield f"{name}:{line}", text


def literals(code: str) -> Iterator[tuple[int, str]]:
    """The texts of some Python code that have several words and are not docstrings: messages, help, notes."""
    tree = ast.parse(code)
    alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and id(node) not in alone
            and words(node.value) > 1
        ):
            yield node.lineno, node.value


def _strings(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """All strings in nested objects, each with its name."""
    if isinstance(value, str):
        yield name, value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _strings(inner, f"{name}.{key}".strip("."))


def check(root: Path, pages: list[Path]) -> list[str]:
    """What is wrong with the words of the pages; prints the measures."""
    wrong, lengths = [], []
    for page in pages:
        here = []
        for line, text, prose in texts(page.read_text(encoding="utf-8")):
            wrong += [f"{page.relative_to(root)}:{line}: “{term}”: write {better}" for term, better in terms(text)]
            here += [words(sentence) for sentence in sentences(text)] if prose else []
        lengths += here
        if here:
            mean, share = sum(here) / len(here), sum(length > LONG for length in here) / len(here)
            print(f"{page.relative_to(root)!s:44} {len(here):4} sentences, mean {mean:4.1f}, over {LONG}: {share:5.1%}")
    for place, text in other_texts(root):
        wrong += [f"{place}: “{term}”: write {better}" for term, better in terms(text)]
    mean, share = sum(lengths) / len(lengths), sum(length > LONG for length in lengths) / len(lengths)
    print(
        f"{len(lengths)} sentences: mean {mean:.1f} words (limit {MEAN:.0f}), "
        f"{share:.1%} over {LONG} (limit {SHARE:.0%})"
    )
    if mean > MEAN:
        wrong.append(f"the mean sentence has {mean:.1f} words")
    if share > SHARE:
        wrong.append(f"{share:.1%} of sentences have more than {LONG} words")
    return wrong


def main(arguments: list[str]) -> int:
    """Check pages, and return the exit status."""
    root = Path.cwd()
    pages = [root / name for name in arguments] or sorted({page for glob in PAGES for page in root.glob(glob)})
    wrong = check(root, pages)
    print("\n".join(wrong))
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
