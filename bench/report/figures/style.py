"""How figures look, and how they are written: fonts, sizes, files without dates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")  # no screen is needed, whatever the user's own settings say

import matplotlib.pyplot as plt
from matplotlib import font_manager
from matplotlib.figure import Figure

from bench.files import atomic_path

#: Fonts with the letters of many scripts, in the order in which they are asked.
SCRIPTS = ("Noto Sans CJK SC", "Noto Sans CJK JP", "Source Han Sans SC", "WenQuanYi Zen Hei", "Arial Unicode MS")


def _other_scripts() -> list[str]:
    """Those of `SCRIPTS` that are installed here, for names that the usual font has no letters for."""
    installed = {font.name for font in font_manager.fontManager.ttflist}
    return [name for name in SCRIPTS if name in installed]


#: Inches: a page of two columns from edge to edge. Figures are drawn at the size at which they are printed.
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
    """Write a figure atomically in the format of its name, or as PNG and PDF where it has none, and close it.

    No date is in the files: the same figure is the same bytes. With `cut` the paper is as large as what is drawn,
    which takes a second drawing to find out.
    """
    nothing = {"pdf": {"CreationDate": None}, "png": {"Software": None}}
    for kind in [path.suffix[1:]] if path.suffix else nothing:
        with atomic_path(path.with_suffix(f".{kind}")) as part:
            figure.savefig(part, format=kind, metadata=nothing[kind], bbox_inches="tight" if cut else None)
    plt.close(figure)
