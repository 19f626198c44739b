"""One file over HTTP from the first of several addresses that gives it: resumed, checked, never half there.

Only the standard library. The bytes go to `<name>.part`, which stays after an interruption and is taken up again by a
Range request; the file appears under its name only after its hash was found right.
"""

from __future__ import annotations

import http.client
import os
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from bench.errors import BenchError

Report = Callable[[int, int | None], None]
_BLOCK = 1 << 18
_ATTEMPTS = 4  # at one address, as long as each one brings something
_unreachable: set[str] = set()  # servers that did not answer, so that the next file does not wait for them again


class _RefusedError(Exception):
    """Why an address did not give the file; `again` where another attempt may."""

    def __init__(self, reason: str, again: bool = False) -> None:
        super().__init__(reason)
        self.again = again


def _resolve(host: str, timeout: float) -> None:
    """Fail within `timeout` seconds where a name cannot be resolved: the system's own patience can take a minute."""
    if urllib.request.getproxies():
        return  # the proxy resolves
    outcome: list[str] = []

    def look_up() -> None:
        try:
            socket.getaddrinfo(host, None)
            outcome.append("")
        except OSError as error:
            outcome.append(str(error))

    thread = threading.Thread(target=look_up, daemon=True)
    thread.start()
    thread.join(timeout)
    if not outcome or outcome[0]:
        raise _RefusedError(f"the name {host} cannot be resolved")


def _open(url: str, offset: int, timeout: float) -> http.client.HTTPResponse:
    """Ask for the bytes from `offset` on."""
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise _RefusedError("not an http(s) address")
    if address.netloc in _unreachable:
        raise _RefusedError(f"{address.netloc} did not answer a moment ago")
    try:
        _resolve(address.hostname, timeout)
    except _RefusedError:
        _unreachable.add(address.netloc)
        raise
    request = urllib.request.Request(url, headers={"User-Agent": "timelapse-bench", "Accept-Encoding": "identity"})
    if offset:
        request.add_header("Range", f"bytes={offset}-")
    try:
        response: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=timeout)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416:
            raise _RefusedError("there are no bytes beyond those at hand", again=True) from error
        raise _RefusedError(f"HTTP status {error.code}", again=error.code >= 500) from error
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
        reason = getattr(error, "reason", error)
        _unreachable.add(address.netloc)
        raise _RefusedError(f"no connection ({reason or type(reason).__name__})") from error
    return response


def _total(response: http.client.HTTPResponse, offset: int) -> int | None:
    """Size of the whole file as the server gives it."""
    length = response.headers.get("Content-Length", "")
    return offset + int(length) if length.isdigit() else None


def _receive(url: str, part: Path, timeout: float, report: Report) -> None:
    """Add to `part` what it lacks; `_RefusedError` where the server gives no such thing or stops too early."""
    offset = part.stat().st_size if part.exists() else 0
    try:
        response = _open(url, offset, timeout)
    except _RefusedError as refusal:
        if refusal.again and offset and "beyond" in str(refusal):
            return  # all bytes are there already, or too many: the hash will tell
        raise
    with response:
        if response.status != 206 or not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
            offset = 0  # this server does not resume, and sends all of it
        total = _total(response, offset)
        if response.headers.get_content_type() == "text/html":
            raise _RefusedError("a web page came instead of the file")
        done = offset
        with part.open("ab" if offset else "wb") as file:
            while True:
                try:
                    block = response.read1(_BLOCK)
                except TimeoutError as error:
                    raise _RefusedError(f"no byte came for {timeout:g} s, after {done} bytes", again=True) from error
                except (OSError, http.client.HTTPException) as error:
                    raise _RefusedError(f"the connection broke after {done} bytes", again=True) from error
                if not block:
                    break
                if done == 0 and block.lstrip()[:1] == b"<":
                    raise _RefusedError("a web page came instead of the file")
                file.write(block)
                done += len(block)
                report(done, total)
        if total is not None and done < total:
            raise _RefusedError(f"the file came truncated: {done} of {total} bytes", again=True)


def _from(url: str, part: Path, timeout: float, report: Report, right: Callable[[Path], bool]) -> None:
    """Bring `part` to completion from one address, or raise `_RefusedError`."""
    for attempt in range(_ATTEMPTS):
        before = part.stat().st_size if part.exists() else 0
        try:
            _receive(url, part, timeout, report)
        except _RefusedError as refusal:
            grown = part.exists() and part.stat().st_size > before
            if not (refusal.again and grown) or attempt == _ATTEMPTS - 1:
                raise
            continue
        if part.exists() and right(part):
            return
        part.unlink(missing_ok=True)
        if not before:
            raise _RefusedError("the file there is not the published one (its hash differs)")
        # What was resumed may have been the remains of something else: once more from the first byte.
    raise _RefusedError("the file never came whole")


@contextmanager
def _bar(name: str) -> Iterator[Report]:
    """A progress bar on stderr."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=Console(stderr=True, highlight=False)) as bar:
        task = bar.add_task(name, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def download(
    urls: Sequence[str],
    target: Path,
    right: Callable[[Path], bool],
    progress: Report | None = None,
    timeout: float = 5.0,
) -> None:
    """Put the file at the first of `urls` that gives it under `target`, atomically.

    Args:
        urls: http(s) addresses of the same bytes.
        target: where the file goes; `<target>.part` beside it keeps an interrupted download.
        right: whether a file holds the bytes that are due.
        progress: called with the bytes there are and the bytes due, if known; None for a bar on stderr.
        timeout: seconds to wait for a name, a connection or the next byte.

    Raises:
        BenchError: no address gave the file; says why for each of them.
    """
    from filelock import FileLock

    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    reasons = []
    with FileLock(f"{target}.lock"):
        if target.is_file() and right(target):
            return  # another process was faster
        for url in urls:
            try:
                if progress is not None:
                    _from(url, part, timeout, progress, right)
                else:
                    with _bar(target.name) as report:
                        _from(url, part, timeout, report, right)
            except _RefusedError as refusal:
                reasons.append(f"{url}: {refusal}")
                continue
            except OSError as error:
                raise BenchError(f"{part} could not be written ({error.strerror}).") from error
            os.replace(part, target)
            return
    raise BenchError(
        f"{target.name} could not be fetched ({'; '.join(reasons)}). Try again later, copy the file to "
        f"{target.parent}, or name a mirror in BENCH_WEIGHTS_MIRROR."
    )
