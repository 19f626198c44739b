"""The look of the admin's pages: neutral grey, nothing that draws the eye, and none of Streamlit's own controls."""

from __future__ import annotations

import base64
import html

import streamlit as st

STYLE = """
<style>
header[data-testid="stHeader"], [data-testid="stToolbar"], [data-testid="stDecoration"],
[data-testid="stStatusWidget"], #MainMenu, footer { display: none !important; }
[data-testid="stMainBlockContainer"] { padding: 1.6rem 1rem 1rem; max-width: min(78rem, 100%); }
[data-testid="stMain"] [data-stale="true"] { opacity: 1 !important; transition: none !important; }
.page { max-width: 38rem; margin: 6vh auto 0; line-height: 1.55; color: #1c1c1c; overflow-wrap: anywhere; }
.page h1 { font-size: 1.7rem; font-weight: 500; padding: 0 0 .8rem; }
[data-testid="stHeading"] h2 { font-size: 1.35rem; font-weight: 500; }
.page .text { white-space: pre-line; }
.page .code { font: 600 1.6rem ui-monospace, monospace; letter-spacing: .08em; background: #e2e2e2; padding: .5rem 1rem;
  display: inline-block; border-radius: 4px; user-select: all; }
.page kbd { background: #e2e2e2; border: 1px solid #8a8a8a; border-radius: 3px; padding: 0 .35rem; }
[data-testid="stHorizontalBlock"] > [data-testid="stColumn"] { min-width: 6.5rem; flex: 1 1 6.5rem; }
.chart { overflow-x: auto; }
.chart img { min-width: 36rem; max-width: 100%; }
.st-key-narrow { max-width: 38rem; margin: 0 auto; }
.st-key-foot { text-align: center; }
.st-key-foot button p { color: #4a4a4a; font-size: .85rem; text-decoration: underline; }
[data-testid="stCaptionContainer"] p { color: #3a3a3a; opacity: 1; }
[data-testid="stCaptionContainer"] { color: #3a3a3a; opacity: 1; }
button:focus-visible { outline: 3px solid #0b3d91 !important; outline-offset: 3px; }
@media (max-width: 480px) { [data-testid="stMainBlockContainer"] { padding: .8rem .6rem; } .page { margin-top: 1rem; } }
</style>
"""


def apply() -> None:
    """Put the style on the page."""
    st.html(STYLE)


def page(title: str, text: str, *, extra: str = "") -> None:
    """A page of text. Title and text are shown as they are; only `extra`, which we write, is HTML."""
    st.html(f'<div class="page"><h1>{html.escape(title)}</h1><div class="text">{html.escape(text)}</div>{extra}</div>')


def picture(svg: str, text: str) -> None:
    """A chart with a line below it, which is also what a screen reader says of it; a phone can move it sideways."""
    source, description = base64.b64encode(svg.encode()).decode(), html.escape(text)
    image = f'<img alt="{description}" src="data:image/svg+xml;base64,{source}">'
    st.html(f'<div class="chart" tabindex="0" role="group" aria-label="{description}">{image}</div>')
    st.caption(text)
