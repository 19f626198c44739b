"""The language of a visitor, and a consent text as the page shows it."""

from __future__ import annotations

from collections.abc import Sequence

from markdown_it import MarkdownIt

from study_app.design.settings import StudyTexts

#: CommonMark, without anything that could load or run. HTML is shown as text, and images are left out. markdown-it does
#: not turn `javascript:` and similar URLs into links.
_markdown = MarkdownIt("commonmark", {"html": False}).disable(["image", "html_block", "html_inline"])


def language(offered: Sequence[str], asked: str, accepted: str) -> str:
    """The language that was asked for, else the first of `Accept-Language` that is offered, else the first offered.

    Browsers list languages in order of preference.
    """
    tags = (tag.partition(";")[0].strip().lower() for tag in accepted.split(","))
    wanted = [asked, *(part for tag in tags for part in (tag, tag.partition("-")[0]))]
    return next((tag for tag in wanted if tag in offered), offered[0])


def consent_html(words: StudyTexts) -> str:
    """A Markdown consent text as HTML; empty for a plain text.

    Headings are placed below the page's own, and no level is skipped, however the text begins.
    """
    if words.consent_format != "markdown":
        return ""
    tokens = _markdown.parse(words.consent)
    depths: list[int] = []  # levels of the headings that enclose the current token
    for token in tokens:
        if token.type == "heading_open":
            depths = [depth for depth in depths if depth < int(token.tag[1:])] + [int(token.tag[1:])]
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(len(depths) + 1, 6)}"
        for part in token.children or []:
            if part.type == "link_open":
                part.attrSet("target", "_blank")
                part.attrSet("rel", "noopener noreferrer")
    return str(_markdown.renderer.render(tokens, _markdown.options, {}))
