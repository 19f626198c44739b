"""One file over HTTP: resumed, checked, given up within seconds.

Only the standard library, because no library that we know does all three. The bytes go to a file that stays after an
interruption and is taken up again by a Range request.
"""

from __future__ import annotations

import hashlib
import http.client
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.download.progress import DownloadProgress, SourceError

#: The answer to a request for bytes behind the last one.
NO_MORE = "the server has no more bytes than were already downloaded"
_BLOCK = 1 << 18
_ATTEMPTS = 4  # at one address, as long as each one brings something
_unreachable: set[str] = set()  # servers that did not answer, so that the next file does not wait for them again


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
        raise SourceError(f"the name {host} cannot be resolved")


def _open(url: str, offset: int, timeout: float) -> http.client.HTTPResponse:
    """Ask for the bytes from `offset` on."""
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise SourceError("this is not an http(s) address")
    if address.netloc in _unreachable:
        raise SourceError(f"{address.netloc} did not answer a moment ago")
    try:
        _resolve(address.hostname, timeout)
    except SourceError:
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
            raise SourceError(NO_MORE, again=True) from error
        raise SourceError(f"HTTP status {error.code}", again=error.code >= 500) from error
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
        reason = getattr(error, "reason", error)
        _unreachable.add(address.netloc)
        raise SourceError(f"no connection ({reason or type(reason).__name__})") from error
    return response


def _total(response: http.client.HTTPResponse, offset: int) -> int | None:
    """Size of the whole file as the server gives it."""
    length = response.headers.get("Content-Length", "")
    return offset + int(length) if length.isdigit() else None


def _receive(url: str, part: Path, timeout: float, report: DownloadProgress) -> None:
    """Add to `part` what it lacks; `SourceError` where the server gives no such thing or stops too early."""
    offset = part.stat().st_size if part.exists() else 0
    try:
        response = _open(url, offset, timeout)
    except SourceError as refusal:
        if offset and str(refusal) == NO_MORE:
            return  # all bytes are there already, or too many: the hash will tell
        raise
    with response:
        if response.status != 206 or not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
            offset = 0  # this server does not resume, and sends all of it
        total = _total(response, offset)
        if response.headers.get_content_type() == "text/html":
            raise SourceError("the server sent a web page instead of the file")
        done = offset
        with part.open("ab" if offset else "wb") as file:
            while True:
                try:
                    block = response.read1(_BLOCK)
                except TimeoutError as error:
                    raise SourceError(
                        f"the server sent nothing for {timeout:g} s, after {done} bytes", again=True
                    ) from error
                except (OSError, http.client.HTTPException) as error:
                    raise SourceError(f"the connection was lost after {done} bytes", again=True) from error
                if not block:
                    break
                if done == 0 and block.lstrip()[:1] == b"<":
                    raise SourceError("the server sent a web page instead of the file")
                file.write(block)
                done += len(block)
                report(done, total)
        if total is not None and done < total:
            raise SourceError(f"the file is truncated: {done} of {total} bytes", again=True)


def download(url: str, part: Path, right: Callable[[Path], bool], report: DownloadProgress, timeout: float) -> None:
    """Bring a file to completion.

    Args:
        url: http(s) address.
        part: where its bytes go, and may lie from an earlier attempt.
        right: whether the file holds the bytes that are expected.
        report: called with the bytes there are and the bytes due, if known.
        timeout: seconds to wait for a name, a connection or the next byte.

    Raises:
        SourceError: the address does not give the file, and why.
    """
    for attempt in range(_ATTEMPTS):
        before = part.stat().st_size if part.exists() else 0
        try:
            _receive(url, part, timeout, report)
        except SourceError as refusal:
            grown = part.exists() and part.stat().st_size > before
            if not (refusal.again and grown) or attempt == _ATTEMPTS - 1:
                raise
            continue
        if part.exists() and right(part):
            return
        part.unlink(missing_ok=True)
        if not before:
            raise SourceError("the file there is not the published one (its hash differs)")
        # What was resumed may have been the remains of something else: once more from the first byte.
    raise SourceError("the file was never complete")


@dataclass(frozen=True)
class RemoteFile:
    """What a server says of a file: its bytes and its SHA-256, where it says so."""

    size: int = 0
    sha256: str = ""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects as the questions they are, but for those that tell what is asked already."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """The next question; None where the answer is here, as on Hugging Face."""
        if headers["X-Linked-Size"]:
            return None
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None:
            following.method = req.get_method()
        return following


def look(url: str, timeout: float) -> RemoteFile:
    """Ask a server about a file without fetching it; `SourceError` where it cannot be asked."""
    request = urllib.request.Request(url, headers={"User-Agent": "timelapse-bench"}, method="HEAD")
    try:
        with urllib.request.build_opener(_Redirects).open(request, timeout=timeout) as answer:
            headers = answer.headers
    except urllib.error.HTTPError as error:
        error.close()
        if not error.headers["X-Linked-Size"]:
            raise SourceError(f"{url}: HTTP status {error.code}") from error
        headers = error.headers
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise SourceError(f"{url}: no connection ({getattr(error, 'reason', error)})") from error
    size = headers["X-Linked-Size"] or headers["Content-Length"] or ""
    tag = (headers["X-Linked-ETag"] or "").removeprefix("W/").strip('"').lower()
    return RemoteFile(int(size) if size.isdigit() else 0, tag if len(tag) == 2 * hashlib.sha256().digest_size else "")
