"""The one exception whose message is meant for users."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BenchError(Exception):
    """An error message for users: what was found, what was expected and what to do.

    The command line prints it without a traceback and exits with a non-zero status. A library caller catches it
    like any other exception. Every failure that a user can act on is raised as a `BenchError`.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the nearest known name, or the list of known names."""
    known = sorted(known)
    by_lower = {one.lower(): one for one in known}  # so that PSNR suggests psnr
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    return f" Did you mean '{by_lower[near[0]]}'?" if near else f" Known: {', '.join(known) or 'none'}."
