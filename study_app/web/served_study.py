"""The study that an app process serves and keeps open."""

from __future__ import annotations

import logging
import os
import threading

from study_app.store.store import Store
from study_app.store.study import OpenStudy

#: Environment variable that names the study to serve if a database contains several.
STUDY_VARIABLE = "BENCH_STUDY"
#: Environment variable with the password of the admin page, and the password's minimum length.
PASSWORD_VARIABLE = "BENCH_ADMIN_PASSWORD"
SHORTEST_PASSWORD = 8
log = logging.getLogger("study_app")
_guard = threading.Lock()
_open: list[OpenStudy] = []


def serving() -> OpenStudy:
    """The study that this process serves; opened at the first call, and tried again after a failure.

    Raises:
        BenchError: the database is missing, cannot be reached, or contains no such study.
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
