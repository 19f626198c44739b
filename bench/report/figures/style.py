"""Style and output of figures: fonts, sizes, files without dates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # works without a display, regardless of the user's settings

import matplotlib.pyplot as plt
from matplotlib import font_manager
from matplotlib.figure import Figure

from bench.files import atomic_path

#: Fonts with the letters of many scripts, in order of preference.
SCRIPTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Zen Hei", "Arial Unicode MS")


def _other_scripts() -> list[str]:
    """Installed fonts of `SCRIPTS`, for names with letters that the default font lacks."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in SCRIPTS if name in installed]


#: Full text width of a two-column page, in inches. Figures are drawn at the size at which they are printed.
PAGE = 6.9


STYLE: dict[Any, Any] = {
    "font.size": 8,
    "axes.titlesize": 8,
    "legend.fontsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "figure.dpi": 200,
    "legend.frameon": False,
    "pdf.fonttype": 42,  # fonts that a publisher can embed
    "text.parse_math": False,  # a row may be called cost$1 or a^b
    "font.family": ["DejaVu Sans", *_other_scripts()],
}


def save_figure(figure: Figure, path: Path, *, cut: bool = True) -> None:
    """Write a figure atomically in the format of its extension, or as PNG and PDF if it has none, and close it.

    The files contain no date, so the same figure gives the same bytes. With `cut`, the page is cropped to the drawing,
    which requires drawing it twice.
    """
    nothing = {"pdf": {"CreationDate": None}, "png": {"Software": None}}
    for kind in [path.suffix[1:]] if path.suffix else nothing:
        with atomic_path(path.with_suffix(f".{kind}")) as part:
            figure.savefig(part, format=kind, metadata=nothing[kind], bbox_inches="tight" if cut else None)
    plt.close(figure)
