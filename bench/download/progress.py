"""Progress of a transfer on stderr: a bar on a terminal while it runs, and one line when it succeeds or fails."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from bench.progress import console

#: Callback for progress; receives the number of bytes so far and, if known, the total.
DownloadProgress = Callable[[int, int | None], None]


class SourceError(Exception):
    """Reason why a source did not provide what was requested; `again` is true if another attempt may succeed."""

    def __init__(self, reason: str, again: bool = False) -> None:
        super().__init__(reason)
        self.again = again


def _line(text: str, style: str = "") -> None:
    console().print(text, style=style, markup=False, soft_wrap=True)


@contextmanager
def show_transfer(label: str) -> Iterator[DownloadProgress]:
    """Show the progress of one transfer on stderr; a `SourceError` within is printed and raised again."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    screen, started, seen = console(), time.monotonic(), [0]
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bar = Progress(*columns, console=screen, transient=True)
    task = bar.add_task(label, total=None)
    with ExitStack() as shown:
        if screen.is_terminal:  # before version 14.3, Rich ends a bar with an empty line, even a disabled one
            shown.enter_context(bar)

        def report(done: int, total: int | None) -> None:
            seen[0] = done
            bar.update(task, completed=done, total=total)

        try:
            yield report
        except SourceError as refusal:
            shown.close()
            _line(f"{label}: {refusal}", "yellow")
            raise
    _line(f"{label}: {seen[0] / 1e6:.1f} MB in {time.monotonic() - started:.0f} s")
