"""Download of one file over HTTP: resumed, checked, and abandoned within seconds if nothing arrives.

It uses only the standard library, because no library that we know does all three. The bytes go to a file that remains
after an interruption and is resumed by a Range request.
"""

from __future__ import annotations

import hashlib
import http.client
import math
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from bench.download.progress import DownloadProgress, SourceError

#: Error for a request for bytes after the last one.
NO_MORE = "the server has no more bytes than were already downloaded"
_BLOCK = 1 << 18
_ATTEMPTS = 4  # per address, as long as each attempt adds bytes
#: Time at which each server last failed to respond, and seconds during which such a server is not tried again.
_unreachable: dict[str, float] = {}
_AVOIDED = 60.0


def _resolve(host: str, timeout: float) -> None:
    """Fail within `timeout` seconds if a name cannot be resolved: the system's own timeout can be a minute."""
    if urllib.request.getproxies():
        return  # the proxy resolves the name
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
    """Request the bytes from `offset` on."""
    address = urlsplit(url)
    if address.scheme not in ("http", "https") or not address.hostname:
        raise SourceError("this is not an http(s) address")
    if time.monotonic() - _unreachable.get(address.netloc, -math.inf) < _AVOIDED:
        raise SourceError(f"{address.netloc} did not answer a moment ago")
    try:
        _resolve(address.hostname, timeout)
    except SourceError:
        _unreachable[address.netloc] = time.monotonic()
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
        _unreachable[address.netloc] = time.monotonic()
        raise SourceError(f"no connection ({reason or type(reason).__name__})") from error
    return response


def _total(response: http.client.HTTPResponse, offset: int) -> int | None:
    """Size of the whole file as reported by the server."""
    length = response.headers.get("Content-Length", "")
    return offset + int(length) if length.isdigit() else None


def _receive(url: str, part: Path, timeout: float, report: DownloadProgress) -> None:
    """Append the missing bytes to `part`; raise a `SourceError` if the server refuses them or stops too early."""
    offset = part.stat().st_size if part.exists() else 0
    try:
        response = _open(url, offset, timeout)
    except SourceError as refusal:
        if offset and str(refusal) == NO_MORE:
            return  # all bytes were already downloaded, or too many: the hash check decides
        raise
    with response:
        if response.status != 206 or not response.headers.get("Content-Range", "").startswith(f"bytes {offset}-"):
            offset = 0  # this server does not resume, and sends the whole file
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
    """Download a file completely, resuming an earlier attempt.

    Args:
        url: http(s) address.
        part: file for the bytes, which may contain some from an earlier attempt.
        right: returns whether the file contains the expected bytes.
        report: called with the number of bytes downloaded and the total, if known.
        timeout: seconds to wait for a name, a connection or the next byte.

    Raises:
        SourceError: the address does not provide the file; the message says why.
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
        # The resumed bytes may have been the remains of another file: start again from the first byte.
    raise SourceError("the file was never complete")


@dataclass(frozen=True)
class RemoteFile:
    """What a server reports about a file: its size in bytes and its SHA-256, if available."""

    size: int = 0
    sha256: str = ""


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects with the original method, except those that already contain the answer."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        """Return the next request; None if this response already contains the answer, as on Hugging Face."""
        if headers["X-Linked-Size"]:
            return None
        following = super().redirect_request(req, fp, code, msg, headers, newurl)
        if following is not None:
            following.method = req.get_method()
        return following


def look(url: str, timeout: float) -> RemoteFile:
    """Request a file's size and hash without downloading it; raise a `SourceError` if the request fails."""
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
