"""The look of the admin pages: Streamlit's own theme, light or dark like the system, without its toolbar."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence

import streamlit as st

STYLE = """
<style>
header[data-testid="stHeader"], [data-testid="stToolbar"], [data-testid="stDecoration"],
[data-testid="stStatusWidget"], #MainMenu, footer { display: none !important; }
[data-testid="stMainBlockContainer"] { padding: 1.6rem 1.5rem 3rem; max-width: min(84rem, 100%); }
[data-testid="stMain"] [data-stale="true"] { opacity: 1 !important; transition: none !important; }
[data-testid="stHeading"] h1 { padding: 0; font-size: 1.9rem; overflow-wrap: anywhere; }
[data-testid="stHeading"] h2 { font-size: 1.25rem; }
.page { max-width: 38rem; margin: 12vh auto 0; line-height: 1.55; overflow-wrap: anywhere; }
.page h1 { font-size: 1.7rem; font-weight: 600; padding: 0 0 .8rem; }
.page .text { white-space: pre-line; }
.tiles { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); gap: .75rem; margin: 0 !important;
  padding: 0 !important; }
.tile { border: 1px solid color-mix(in srgb, currentColor 22%, transparent); border-radius: .6rem;
  padding: .7rem .9rem; }
.tile dt { font-size: .875rem; opacity: .85; margin: 0; }
.tile dd { margin: 0; font-size: 1.55rem; font-weight: 600; line-height: 1.3; font-variant-numeric: tabular-nums; }
.tile dd.note { font-size: .8125rem; font-weight: 400; opacity: .85; }
.bars { display: grid; grid-template-columns: minmax(7rem, max-content) minmax(4rem, 1fr) max-content; gap: .45rem 1rem;
  align-items: center; margin: .2rem 0 .6rem; font-variant-numeric: tabular-nums; }
.track { height: .7rem; border-radius: .35rem; overflow: hidden;
  background: color-mix(in srgb, currentColor 16%, transparent); }
.track span { display: block; height: 100%; background: #2f78c4; }
.track.met span { background: #2c8a57; }
.chart { overflow-x: auto; }
.chart img { width: 100%; min-width: 30rem; }
.st-key-narrow { max-width: 30rem; margin: 8vh auto 0; }
[data-testid="stCaptionContainer"], [data-testid="stCaptionContainer"] p { color: inherit; opacity: .85; }
button:focus-visible { outline: 3px solid #2f78c4 !important; outline-offset: 2px; }
@media (max-width: 640px) {
  [data-testid="stMainBlockContainer"] { padding: 1rem .9rem 3rem; }
  .tiles { grid-template-columns: 1fr 1fr; gap: .5rem; }
  .tile { padding: .5rem .7rem; } .tile dd { font-size: 1.3rem; }
  .bars { grid-template-columns: 1fr; gap: .15rem; } .bars .count { margin-bottom: .6rem; font-size: .875rem; }
  .page { margin-top: 1rem; }
}
</style>
"""


def apply() -> None:
    """Put the style on the page."""
    st.html(STYLE)


def page(title: str, text: str) -> None:
    """Show a page of text; title and text are shown as they are."""
    st.html(f'<div class="page"><h1>{html.escape(title)}</h1><div class="text">{html.escape(text)}</div></div>')


def tiles(values: Sequence[tuple[str, str, str]]) -> None:
    """Show key figures, each as (name, value, note)."""
    shown = "".join(
        f'<div class="tile"><dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>'
        + (f'<dd class="note">{html.escape(note)}</dd>' if note else "")
        + "</div>"
        for name, value, note in values
    )
    st.html(f'<dl class="tiles">{shown}</dl>')


def bars(rows: Sequence[tuple[str, int, int, str]]) -> None:
    """Show one bar per entry, each as (name, done, of, note)."""
    shown = "".join(
        f'<div class="name">{html.escape(name)}</div>'
        f'<div class="track{" met" if done >= of else ""}"><span style="width:{100 * min(done, of) / max(of, 1):.1f}%">'
        f'</span></div><div class="count">{done} of {of}{html.escape(note)}</div>'
        for name, done, of, note in rows
    )
    st.html(f'<div class="bars">{shown}</div>')


def picture(svg: str, text: str) -> None:
    """Show a chart with a caption, which also describes it to screen readers; on a phone, it scrolls sideways."""
    source, description = base64.b64encode(svg.encode()).decode(), html.escape(text)
    image = f'<img alt="{description}" src="data:image/svg+xml;base64,{source}">'
    st.html(f'<div class="chart" tabindex="0" role="group" aria-label="{description}">{image}</div>')
    st.caption(text)
