"""What one app process keeps open: the store, and which study it serves."""

from __future__ import annotations

import logging
import os
import threading

from study_app.design.settings import Settings
from study_app.store.schema import Study
from study_app.store.store import Store

#: Names the study to serve where a database holds several.
STUDY_VARIABLE = "BENCH_STUDY"
log = logging.getLogger("study_app")
_guard = threading.Lock()
_open: list[tuple[Store, Study, Settings]] = []


def serving() -> tuple[Store, Study, Settings]:
    """The store and study of this process; opened at the first call, and tried again after a failure.

    Raises:
        BenchError: the database is missing, cannot be reached, or holds no such study.
    """
    with _guard:
        if not _open:
            store = Store()
            try:
                study, settings = store.study(os.environ.get(STUDY_VARIABLE) or None)
            except Exception:
                store.close()
                raise
            _open.append((store, study, settings))
        return _open[0]
