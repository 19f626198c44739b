"""Which language somebody reads, and a consent text as the page shows it."""

from __future__ import annotations

from collections.abc import Sequence

from markdown_it import MarkdownIt

from study_app.design.settings import StudyTexts

#: Markdown as in CommonMark, without anything that could load or run: HTML is shown as text, pictures are left out, and
#: markdown-it makes no link of `javascript:` and its like.
_markdown = MarkdownIt("commonmark", {"html": False}).disable(["image", "html_block", "html_inline"])


def language(offered: Sequence[str], asked: str, accepted: str) -> str:
    """The language that was asked for, else the first of `Accept-Language` that is offered, else the first offered.

    Browsers name them in the order in which their people want them.
    """
    tags = (tag.partition(";")[0].strip().lower() for tag in accepted.split(","))
    wanted = [asked, *(part for tag in tags for part in (tag, tag.partition("-")[0]))]
    return next((tag for tag in wanted if tag in offered), offered[0])


def consent_html(words: StudyTexts) -> str:
    """A consent text in Markdown as HTML; empty for one that is text.

    Headings go below the page's own, and no level is left out, however the text begins.
    """
    if words.consent_format != "markdown":
        return ""
    tokens = _markdown.parse(words.consent)
    depths: list[int] = []  # of the headings that the text is in
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
