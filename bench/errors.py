"""The one exception a user is meant to read."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class BenchError(Exception):
    """One plain sentence that names the thing, what was expected and what to do.

    The command line prints it without a traceback and exits with a non-zero status; a library caller catches it
    like any other exception. Every failure that a person can act on is raised as one of these.
    """


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the nearest known name, or the list of known ones."""
    known = sorted(known)
    by_lower = {one.lower(): one for one in known}  # PSNR is psnr to whoever types it
    near = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.5)
    return f" Did you mean '{by_lower[near[0]]}'?" if near else f" Known: {', '.join(known) or 'none'}."
