"""Starts the app."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.errors import BenchError
from study_app.store.connection.database import URL_VARIABLE, describe, resolve
from study_app.store.participants import secret
from study_app.store.store import Store
from study_app.web import new_sessions
from study_app.web.calls import PROXY_VARIABLE
from study_app.web.served_study import PASSWORD_VARIABLE, SHORTEST_PASSWORD, STUDY_VARIABLE

APP = Path(__file__).with_name("app.py")


@dataclass(frozen=True)
class Options:
    """How an app process is reached.

    Attributes:
        port, address: where the process listens.
        proxy: whether a proxy on this machine is in front of it, whose headers identify the client.
        sessions: new sessions per hour from one network address, for people without a signed link; 0 means no limit.
    """

    port: int
    address: str
    proxy: bool = False
    sessions: int = new_sessions.LIMIT

    def variables(self) -> dict[str, str]:
        """These options as environment variables of the process."""
        return {PROXY_VARIABLE: str(int(self.proxy)), new_sessions.LIMIT_VARIABLE: str(self.sessions)}


def command(port: int, address: str) -> list[str]:
    """The command line of one app process."""
    return [sys.executable, "-m", "study_app.web.run", f"--port={port}", f"--address={address}"]


def environment(where: str | Path | None, study: str | None) -> dict[str, str]:
    """Environment of an app process: the database, the study, and this package on its path."""
    url = resolve(where)
    root = str(APP.parents[2])
    path = os.pathsep.join(p for p in (root, os.environ.get("PYTHONPATH", "")) if p)
    env = {**os.environ, "PYTHONPATH": path, URL_VARIABLE: url.render_as_string(hide_password=False)}
    return env | ({STUDY_VARIABLE: study} if study else {})


def prepare(where: str | Path | None, study: str | None) -> list[str]:
    """Check everything that a start needs and upgrade the schema; return hints for the person who starts the app.

    Raises:
        BenchError: no database, one of a newer version, no such study, or an admin password that is too short.
    """
    url = resolve(where)
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).is_file():
        raise BenchError(f"There is no study database {describe(url)}. Create one with `bench study create`.")
    store = Store.migrated(where, create=False)
    served = store.open(study)
    store.close()
    hints = [f"Study '{served.name}': {len(served.settings.comparisons)} comparisons in {describe(url)}."]
    if served.simulated:
        hints.append("This study is simulated. Its votes never count as real ones.")
    password = os.environ.get(PASSWORD_VARIABLE, "")
    if password and len(password) < SHORTEST_PASSWORD:
        raise BenchError(
            f"{PASSWORD_VARIABLE} has {len(password)} characters, but a password needs at least "
            f"{SHORTEST_PASSWORD}. Choose a longer one."
        )
    if not password:
        hints.append(f"The admin page is off. To turn it on at /?admin, set {PASSWORD_VARIABLE}.")
    if url.get_backend_name() == "sqlite" and os.name == "posix":
        file = Path(str(url.database))
        if file.stat().st_mode & 0o077:
            hints.append(f"Other users of this machine can read {file}. Run `chmod 600 {file}`.")
    try:
        secret(url)
    except BenchError as error:
        hints.append(f"Links with platform IDs will be rejected. {error}")
    return hints


def serve(where: str | Path | None, study: str | None, options: Options) -> int:
    """Run one app process in the foreground and return its exit status; on POSIX, it replaces this process."""
    line, env = command(options.port, options.address), environment(where, study) | options.variables()
    if os.name == "posix":  # so that a signal to this process reaches the app
        os.chdir(APP.parent)
        os.execve(line[0], line, env)
    try:
        return subprocess.run(line, env=env, cwd=APP.parent, check=False).returncode
    except KeyboardInterrupt:
        return 0
