"""What one app process keeps open: the study that it serves."""

from __future__ import annotations

import logging
import os
import threading

from study_app.store.store import Store
from study_app.store.study import OpenStudy

#: Names the study to serve where a database holds several.
STUDY_VARIABLE = "BENCH_STUDY"
#: Holds the password of the admin page, and how many characters it must have.
PASSWORD_VARIABLE = "BENCH_ADMIN_PASSWORD"
SHORTEST_PASSWORD = 8
log = logging.getLogger("study_app")
_guard = threading.Lock()
_open: list[OpenStudy] = []


def serving() -> OpenStudy:
    """The study of this process; opened at the first call, and tried again after a failure.

    Raises:
        BenchError: the database is missing, cannot be reached, or holds no such study.
    """
    with _guard:
        if not _open:
            store = Store()
            try:
                _open.append(store.open(os.environ.get(STUDY_VARIABLE) or None))
            except Exception:
                store.close()
                raise
        return _open[0]
