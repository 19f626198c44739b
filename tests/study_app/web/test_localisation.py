"""Which language somebody reads, and that a consent text can load and run nothing."""

from __future__ import annotations

import pytest

from study_app.design.settings import StudyTexts
from study_app.web.localisation import consent_html, language

BOTH = ("en", "de")


@pytest.mark.parametrize(
    ("asked", "accepted", "spoken"),
    [
        ("", "", "en"),
        ("", "de-AT,de;q=0.9,en;q=0.8", "de"),
        ("", "fr-CH, fr;q=0.9, DE;q=0.7, *;q=0.5", "de"),
        ("", "en-GB,de", "en"),
        ("", "fr", "en"),
        ("de", "en", "de"),
        ("fr", "de", "de"),
        ("", ";,;;q=,de", "de"),
    ],
)
def test_the_language_of_a_browser(asked: str, accepted: str, spoken: str) -> None:
    assert language(BOTH, asked, accepted) == spoken
    assert language(("de",), asked, accepted) == "de"


def shown(text: str) -> str:
    return consent_html(StudyTexts("en", consent=text, consent_format="markdown"))


def test_markdown_is_shown_with_its_headings_below_the_pages_own() -> None:
    html = shown(
        "# Our study\n\n*You* can **stop**.\n\n- one\n- two\n\n[Contact](https://example.org/a?b=1&c=2)\n\n###### Six"
    )
    assert "<h2>Our study</h2>" in html
    assert "<h3>Six</h3>" in html  # no level is left out
    assert "<em>You</em> can <strong>stop</strong>." in html
    assert "<li>two</li>" in html
    assert 'href="https://example.org/a?b=1&amp;c=2" target="_blank" rel="noopener noreferrer"' in html
    assert shown("### A\n# B\n## C\n### D\n## E").split() == (
        ["<h2>A</h2>", "<h2>B</h2>", "<h3>C</h3>", "<h4>D</h4>", "<h3>E</h3>"]
    )
    assert consent_html(StudyTexts("en", consent="# Text")) == ""


@pytest.mark.parametrize(
    "text",
    [
        "<script>alert(1)</script>",
        "a <img src=x onerror=alert(1)> b",
        "<div>\n\n<iframe src=//x></iframe>",
        "![picture](https://example.org/who-reads.png)",
        "[click](javascript:alert(1))",
        "[click](data:text/html;base64,PHNjcmlwdD4=)",
        "[click](vbscript:x)",
        "<javascript:alert(1)>",
        "&lt;script&gt;",
        '[a](https://x.org "title\\" onmouseover=alert(1)")',
        "```<b>\n<script>\n```",
    ],
)
def test_nothing_in_a_text_can_load_or_run(text: str) -> None:
    html = shown(text)
    tags = {tag.split(">")[0] for tag in html.split("<")[1:]}
    allowed = ("p", "/p", "pre", "/pre", "code", "/code", 'a href="https://', "/a")
    assert all(tag.startswith(allowed) for tag in tags), html
    assert "onmouseover=" not in html.replace("&quot; onmouseover=", "")
