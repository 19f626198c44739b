"""Writers of a SQLite study are served in the order they come, within a process and between processes."""

from __future__ import annotations

import errno
import fcntl
import threading
import time
from itertools import pairwise
from multiprocessing.connection import Connection
from pathlib import Path
from typing import BinaryIO

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from study_app.store.audit_trail import audit
from study_app.store.connection.transactions import Transactions
from study_app.store.connection.write_queue import WriterQueue
from study_app.store.store import Store
from tests.study_app import forked


def test_first_come_first_served(tmp_path: Path) -> None:
    queue, served = WriterQueue(tmp_path / "study.queue"), []
    threads = []

    def come(number: int) -> None:
        with queue.turn() as begun:
            begun()
            served.append(number)

    with queue.turn():
        for number in range(40):
            threads.append(threading.Thread(target=come, args=(number,)))
            threads[-1].start()
            while len(queue._waiting) <= number:
                pass  # until this one stands in the queue
    for thread in threads:
        thread.join()
    assert served == list(range(40))


def test_a_writer_who_fails_lets_the_next_one_in(tmp_path: Path) -> None:
    queue = WriterQueue(tmp_path / "study.queue")
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), queue.turn():
            1 / 0  # noqa: B018 - work that fails within its turn
    with queue.turn() as begun:
        begun()
        with WriterQueue(tmp_path / "study.queue").turn():
            pass  # the lock file is free once the transaction has begun


def test_a_folder_that_cannot_be_written_is_for_sqlite_to_tell(tmp_path: Path) -> None:
    with WriterQueue(tmp_path / "none" / "study.queue").turn() as begun:
        begun()


def test_a_file_system_without_locks_leaves_the_waiting_to_sqlite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def refuse(file: BinaryIO, _: int) -> None:
        opened.append(file)
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", refuse)
    queue = WriterQueue(tmp_path / "study.queue")
    for _ in range(2):
        with queue.turn() as begun:
            begun()
    assert [file.closed for file in opened] == [True, True]


def write_without_pause(where: str, telling: Connection) -> None:
    """Lines in the audit trail by four writers, one line after the other, until somebody says stop."""
    study, stop = Store(where).open(), threading.Event()

    def write() -> None:
        while not stop.is_set():
            study.audit("other", "line")

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    telling.send("writing")
    telling.recv()
    stop.set()
    for thread in threads:
        thread.join()


def wait_until_held(lock_file: Path) -> None:
    """Wait until another process holds the lock file, however late a busy machine lets it run."""
    deadline = time.monotonic() + 60
    with lock_file.open("ab") as file:
        while time.monotonic() < deadline:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return
            fcntl.flock(file, fcntl.LOCK_UN)
            time.sleep(0.001)
    raise AssertionError("no other process locked the file")


@pytest.mark.process
def test_processes_take_turns(sqlite: str) -> None:
    here, there = forked.Pipe()
    other = forked.start(write_without_pause, sqlite, there)
    try:
        actors = actors_of_both(sqlite, here)
        other.join()
        assert other.exitcode == 0
    finally:
        other.kill()
        other.join()
    mine = [place for place, actor in enumerate(actors) if actor == "mine"]
    let_in = [after - before - 1 for before, after in pairwise(mine)]
    # A process that writes again at once finds the other one waiting before it, and the other way round.
    assert min(let_in) >= 1, let_in
    assert sorted(let_in)[15] <= 3, let_in


def actors_of_both(where: str, telling: Connection) -> list[str]:
    """Write in turns with the other process; who wrote each line, in order."""
    assert telling.recv() == "writing"
    store = Store(where)
    transactions = Transactions(store.url, store.engine)

    def write(session: Session) -> None:
        audit(session, None, "mine", "line", "")
        wait_until_held(Path(f"{store.url.database}.queue"))

    for _ in range(31):
        transactions.write(write)
    with store.engine.connect() as connection:
        actors = list(connection.execute(text("SELECT actor FROM audit ORDER BY id")).scalars())
    telling.send("stop")
    return actors
