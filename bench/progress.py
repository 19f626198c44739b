"""Progress on stderr: a bar on a terminal, periodic lines in a log file."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

#: Seconds between two lines if stderr is not a terminal.
LOG_EVERY = 20.0
#: Whether bars are allowed; they are not if several processes share a terminal.
BARS = True


def console() -> Console:
    """A console for all output except results."""
    return Console(stderr=True, highlight=False)


class ProgressBars(Progress):
    """Bars with notes on a separate line below; long notes are truncated, so the bars always stay fully visible."""

    def get_renderables(self) -> Iterable[RenderableType]:
        """The bars, then the notes of those that have one."""
        yield self.make_tasks_table(self.tasks)
        for shown in self.tasks:
            if note := shown.fields.get("note"):
                yield Text(f"  {note}", "dim", no_wrap=True, overflow="ellipsis")


class ProgressTask:
    """A task with a known number of parts, some of which are done."""

    def __init__(self, label: str, total: int, bar: Progress | None, done: int = 0) -> None:
        self._label, self._total, self._bar, self._done = label, total, bar, done
        self._started_at, self._logged_at = time.monotonic(), time.monotonic()
        self._first = done
        self._id = bar.add_task(label, total=total, completed=done, note="") if bar else None

    def advance(self, parts: int = 1, note: str = "") -> None:
        """Count `parts` more as done; `note` appears below the bar (losses, clips/s)."""
        self._done += parts
        if self._bar is not None and self._id is not None:
            self._bar.update(self._id, advance=parts, note=note)
        elif (now := time.monotonic()) - self._logged_at >= LOG_EVERY or self._done == self._total:
            self._logged_at = now
            left = (now - self._started_at) / (self._done - self._first) * (self._total - self._done)
            console().print(
                f"{self._label}: {self._done}/{self._total} {note} ({left:.0f} s left)".replace("  ", " "),
                soft_wrap=True,
            )


@contextmanager
def task(label: str, total: int, done: int = 0) -> Iterator[ProgressTask]:
    """Show `label` with its progress while the block runs; `done` parts are complete already (a resumed run)."""
    screen = console()
    if not (BARS and screen.is_terminal):
        yield ProgressTask(label, total, None, done)
        return
    # On a narrow terminal, only the bar is shortened.
    bar_width = max(4, min(40, screen.width - len(label) - len(f"  {total}/{total}  0:00:00")))
    columns = (TextColumn("{task.description}"), BarColumn(bar_width), MofNCompleteColumn(), TimeRemainingColumn())
    with ProgressBars(*columns, console=screen) as bar:
        yield ProgressTask(label, total, bar, done)
