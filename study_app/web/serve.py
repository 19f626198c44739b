"""Starting the app."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bench.errors import BenchError
from study_app.store.connection.database import URL_VARIABLE, describe, resolve
from study_app.store.participants import secret
from study_app.store.store import Store
from study_app.web.served_study import STUDY_VARIABLE

APP = Path(__file__).with_name("app.py")
PASSWORD_VARIABLE = "BENCH_ADMIN_PASSWORD"


def command(port: int, address: str) -> list[str]:
    """The command line of one app process."""
    flags = [f"--server.port={port}", f"--server.address={address}"]
    return [sys.executable, "-m", "streamlit", "run", str(APP), *flags]


def environment(where: str | Path | None, study: str | None) -> dict[str, str]:
    """What an app process finds in its environment: the database, the study, and this package on its path."""
    url = resolve(where)
    root = str(APP.parents[2])
    path = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH", "")) if p)
    env = {**os.environ, "PYTHONPATH": path, URL_VARIABLE: url.render_as_string(hide_password=False)}
    return env | ({STUDY_VARIABLE: study} if study else {})


def prepare(where: str | Path | None, study: str | None) -> list[str]:
    """Check all that a start needs and bring the schema up to date; returns hints for whoever starts it.

    Raises:
        BenchError: no database, a newer one, or no such study.
    """
    url = resolve(where)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_file():
        raise BenchError(f"There is no study database {describe(url)}: make one with `bench study create`.")
    store = Store.migrated(where, create=False)
    served = store.open(study)
    store.close()
    hints = [f"Study '{served.name}': {len(served.settings.comparisons)} comparisons in {describe(url)}."]
    if served.simulated:
        hints.append("This study is simulated: its votes never count as real ones.")
    if not os.environ.get(PASSWORD_VARIABLE):
        hints.append(f"The admin page stays shut: set {PASSWORD_VARIABLE} to open it at /?admin.")
    try:
        secret(url)
    except BenchError as error:
        hints.append(f"Links with platform ids will be refused. {error}")
    return hints


def serve(where: str | Path | None, study: str | None, port: int, address: str) -> int:
    """Run one app process in the foreground; returns its exit status, or takes this process's place where it can."""
    if os.name == "posix":  # so that a signal to this process reaches the app
        line, env = command(port, address), environment(where, study)
        os.chdir(APP.parent)
        os.execve(line[0], line, env)
    try:
        return subprocess.run(
            command(port, address), env=environment(where, study), cwd=APP.parent, check=False
        ).returncode
    except KeyboardInterrupt:
        return 0
