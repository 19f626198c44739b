"""Corrections for several tests at once, and p values as printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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


def holm_over_families(p_values: ArrayLike, families: Sequence[Any]) -> NDArray[np.float64]:
    """Holm's correction over families of p values that are already corrected within each family.

    The smallest p is multiplied by the number of families, each further one by the number of families that still have
    a p as large or larger. A family's p values are corrected for each other (here: for the choice of the best), so the
    chance of any false finding in any family is kept. If each family has one p, this is `holm`. The step-down follows
    the sequential rejection principle (Goeman and Solari, Annals of Statistics 2010).

    Args:
        p_values: [M] p values, each corrected within its family.
        families: [M] names of the families, such as metrics.
    """
    values = np.asarray(p_values, np.float64)
    names = np.asarray([str(family) for family in families])
    order = np.argsort(values, kind="stable")
    left = np.array([len(set(names[order[place:]])) for place in range(len(order))], np.float64)
    corrected = np.empty_like(values)
    corrected[order] = np.minimum(np.maximum.accumulate(values[order] * left), 1.0)
    return corrected


def printed_p(p_value: float) -> str:
    """A p value for printing: three decimals, "< 0.001" below that, or a dash if there is none."""
    if not np.isfinite(p_value):
        return "–"
    return "< 0.001" if p_value < 0.001 else f"{p_value:.3f}"
