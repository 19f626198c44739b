"""Several tests at once, and how a p value is printed."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def holm(p_values: ArrayLike) -> NDArray[np.float64]:
    """Holm's step-down correction of [M] p values: adjusted p values in the same order, at most 1.

    Scandinavian Journal of Statistics 1979.
    """
    values = np.asarray(p_values, np.float64)
    order = np.argsort(values)
    stepped = np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1))
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def printed_p(p_value: float) -> str:
    """A p value in print: three decimals, "< 0.001" below; a dash where there is none."""
    if not np.isfinite(p_value):
        return "–"
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"
