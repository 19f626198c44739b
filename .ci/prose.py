"""Check the wording of the documentation: `python .ci/prose.py [PAGE ...]` in the root of a clone; default: all pages.

Only sentences of paragraphs and list items count, not code, tables and headings. The mean sentence may have at most 17
words, and at most 6 % of sentences may have more than 30. Terms that have a better name are not allowed. Terms are also
checked in other texts that people read: the raters' texts, every `--help`, and the messages and notes in the code.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from markdown_it import MarkdownIt

#: Maximum mean number of words per sentence; words above which a sentence is long; maximum share of long sentences.
MEAN, LONG, SHARE = 17.0, 30, 0.06
PAGES = ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "results/*.md", "results/*/README.md", "docs/**/*.md")
#: Pattern of a term → what to write instead.
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
#: Phrases in which a term is right → the reason.
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
    """The number of words in a sentence, not counting symbols alone."""
    return sum(bool(re.search(r"\w", word)) for word in sentence.split())


def texts(page: str) -> Iterator[tuple[int, str, bool]]:
    """The texts of a Markdown page: line, text, and whether it is prose (not a cell or a heading)."""
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
    """The terms in a text that have a better name, each with that name."""
    for exception in EXCEPTIONS:
        text = text.replace(exception, "")
    for pattern, better in TERMS.items():
        for found in re.finditer(pattern, text, re.IGNORECASE):
            yield found[0], better


def other_texts(root: Path) -> Iterator[tuple[str, str]]:
    """Texts that people read outside the pages, each with its location."""
    for name, text in _strings(json.loads((root / "study_app/locales/en.json").read_text(encoding="utf-8"))):
        yield f"study_app/locales/en.json: {name}", text
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            name = path.relative_to(root).as_posix()
            if name != HASHED and "migrations" not in path.parts:
                for line, text in literals(path.read_text(encoding="utf-8")):
                    yield f"{name}:{line}", text


def literals(code: str) -> Iterator[tuple[int, str]]:
    """Strings of several words in Python code that are not docstrings: messages, help, notes."""
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
    """Check the wording of the pages, print the measures, and return the problems."""
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
