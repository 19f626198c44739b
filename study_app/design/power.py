"""How many trials a comparison needs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy.stats import binom

ALPHA = 0.05
PREFERENCES = (0.55, 0.60, 0.65, 0.70, 0.75, 0.80, 0.90)
POWERS = (0.8, 0.9)
LARGEST = 5000


def exact_power(n: int, preference: float, alpha: float = ALPHA) -> float:
    """Probability that the exact two-sided test of `n` trials against 50 % rejects at `alpha`."""
    # the largest k whose two tails stay within alpha; symmetric at one half
    k = int(binom.ppf(alpha / 2, n, 0.5))
    while k >= 0 and 2 * binom.cdf(k, n, 0.5) > alpha:
        k -= 1
    return float(binom.cdf(k, n, preference) + binom.sf(n - k - 1, n, preference)) if k >= 0 else 0.0


def trials_needed(preference: float, power: float, alpha: float = ALPHA) -> int:
    """Smallest number of trials that detects a true preference with that power; 0 when more than `LARGEST`."""
    # power rises in a saw-tooth, so start well below the normal approximation and look at every n
    guess = (1.5 / (2 * abs(preference - 0.5))) ** 2
    for n in range(max(1, int(guess)), LARGEST + 1):
        if exact_power(n, preference, alpha) >= power:
            return n
    return 0


def table(preferences: Sequence[float] = PREFERENCES, powers: Sequence[float] = POWERS) -> pd.DataFrame:
    """Trials needed by true preference, and the power that the paper's 100 trials have."""
    rows = []
    for preference in preferences:
        needed = [trials_needed(preference, power) for power in powers]
        rows.append([preference, *needed, round(exact_power(100, preference), 3)])
    names = [f"trials_for_{power:.0%}_power".replace("%", "") for power in powers]
    return pd.DataFrame(rows, columns=["preference", *names, "power_of_100_trials"])


def raters_needed(votes: int, workload: int) -> int:
    """Raters who together cast that many votes."""
    return int(np.ceil(votes / workload))
