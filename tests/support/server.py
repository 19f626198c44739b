"""A server on this machine that misbehaves in every way that real ones do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = bytes(range(256)) * 4000  # 1 MB, so that it comes in several blocks
Answer = Callable[[BaseHTTPRequestHandler], None]


class Listening:
    """A server on a free port of this machine, at `url`; its threads end with the process."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


class Server(Listening):
    """Answers each path with a function; `asked` holds (path, Range header) of every request."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, str | None]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.requests.append((self.path, self.headers.get("Range")))
                outer.answers[self.path](self)

            def do_HEAD(self) -> None:
                outer.answers[self.path](self)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)


def _offset(request: BaseHTTPRequestHandler) -> int:
    requested = request.headers.get("Range")
    return int(requested.removeprefix("bytes=").removesuffix("-")) if requested else 0


def whole(content: bytes = CONTENT, kind: str = "application/octet-stream") -> Answer:
    """The file, by ranges where asked, as good servers give it; to HEAD only what would come."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        offset = _offset(request)
        if offset >= len(content):
            request.send_error(416)
            return
        request.send_response(206 if offset else 200)
        if offset:
            request.send_header("Content-Range", f"bytes {offset}-{len(content) - 1}/{len(content)}")
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(content) - offset))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(content[offset:])

    return answer


def cut(length: int, stall: threading.Event | None = None, content: bytes = CONTENT) -> Answer:
    """`length` bytes from where the client is, then the end of the connection, or silence."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        offset = _offset(request)
        request.send_response(206 if offset else 200)
        if offset:
            request.send_header("Content-Range", f"bytes {offset}-{len(content) - 1}/{len(content)}")
        request.send_header("Content-Length", str(len(content) - offset))
        request.end_headers()
        if request.command == "HEAD":
            return
        request.wfile.write(content[offset : offset + length])
        request.wfile.flush()
        if stall is not None:
            stall.wait()
        request.close_connection = True

    return answer


def without_ranges(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(len(CONTENT)))
    request.end_headers()
    request.wfile.write(CONTENT)


def redirect(target: str) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", target)
        request.send_header("Content-Length", "0")
        request.end_headers()

    return answer
