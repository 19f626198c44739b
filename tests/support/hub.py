"""A stand-in for Hugging Face on this machine: the requests that a push makes, and what comes of them."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from http.server import BaseHTTPRequestHandler
from typing import Any

from tests.support.server import Listening

TOKEN = "hf_may_write"
#: Files that Hugging Face keeps beside its Git, by their endings.
LARGE = (".pt", ".png", ".pdf", ".webp")


class Hub(Listening):
    """Repositories by "<kind>s/<owner>/<name>", each the files of its newest commit.

    Attributes:
        files: content by name, of each repository.
        visibility: as it was asked for when a repository was made.
        commits: how many there are.
        requests: method and path of every request.
        stored: large files by their SHA-256, committed or not.
        broken: paths that begin so are answered with a broken connection.
    """

    def __init__(self) -> None:
        self.files: dict[str, dict[str, bytes]] = {}
        self.visibility: dict[str, str] = {}
        self.commits = 0
        self.requests: list[str] = []
        self.stored: dict[str, bytes] = {}
        self.broken = ""
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                hub._answer(self)

            def do_GET(self) -> None:
                hub._answer(self)

            def do_PUT(self) -> None:
                hub._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(Handler)

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        self.requests.append(f"{request.command} {request.path}")
        if self.broken and request.path.startswith(self.broken):
            request.close_connection = True
            return
        status, answer = self._respond(request, body)
        content = json.dumps(answer).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def _respond(self, request: BaseHTTPRequestHandler, body: bytes) -> tuple[int, Any]:
        path = request.path.partition("?")[0]
        if found := re.fullmatch(r"/stored/(\w+)", path):  # an address of its own, which needs no token
            assert hashlib.sha256(body).hexdigest() == found[1]
            self.stored[found[1]] = body
            return 200, {}
        if request.headers["Authorization"] != f"Bearer {TOKEN}":
            return 401, {"error": "Invalid username or password."}
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path == "/api/validate-yaml":
            return 200, {"errors": [], "warnings": []}
        if found := re.fullmatch(r"/(?:(datasets)/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
            return 200, {"transfer": "basic", "objects": [self._place(one) for one in json.loads(body)["objects"]]}
        if found := re.fullmatch(r"/api/((?:dataset|model)s/[^/]+/[^/]+)/(preupload|commit|revision)/main", path):
            if found[1] not in self.files:
                return 404, {"error": "Repository not found"}
            return 200, getattr(self, f"_{found[2]}")(self.files[found[1]], found[1], body)
        return 404, {"error": f"the stand-in does not know {path}"}

    def _create(self, repository: dict[str, Any]) -> tuple[int, Any]:
        if repository["organization"] != "lab":
            return 403, {"error": "You don't have the rights to create a repository there"}
        name = f"{repository['type']}s/{repository['organization']}/{repository['name']}"
        url = f"{self.url}/{name.removeprefix('models/')}"
        if name in self.files:
            return 409, {"error": "You already created this repo", "url": url}
        self.files[name], self.visibility[name] = {}, repository["visibility"]
        return 200, {"url": url}

    def _place(self, upload: dict[str, Any]) -> dict[str, Any]:
        if upload["oid"] in self.stored:
            return upload
        return {**upload, "actions": {"upload": {"href": f"{self.url}/stored/{upload['oid']}"}}}

    def _preupload(self, files: dict[str, bytes], _: str, body: bytes) -> Any:
        files_info = []
        for one in json.loads(body)["files"]:
            large, stored = one["path"].endswith(LARGE), files.get(one["path"])
            known = None if stored is None else hashlib.sha256(stored).hexdigest() if large else blob_hash(stored)
            mode = "lfs" if large else "regular"
            files_info.append({"path": one["path"], "uploadMode": mode, "shouldIgnore": False, "oid": known})
        return {"files": files_info}

    def _commit(self, files: dict[str, bytes], name: str, body: bytes) -> Any:
        for line in map(json.loads, body.splitlines()):
            if line["key"] == "file":
                assert line["value"]["encoding"] == "base64"
                files[line["value"]["path"]] = base64.b64decode(line["value"]["content"])
            elif line["key"] == "lfsFile":
                files[line["value"]["path"]] = self.stored[line["value"]["oid"]]
        self.commits += 1
        address = f"{self.url}/{name.removeprefix('models/')}/commit/{self.commits:040d}"
        return {"commitUrl": address, "commitOid": f"{self.commits:040d}"}

    def _revision(self, files: dict[str, bytes], name: str, _: bytes) -> Any:
        named = name.partition("/")[2]
        return {
            "id": named,
            "sha": f"{self.commits:040d}",
            "private": True,
            "siblings": [{"rfilename": f} for f in files],
        }


def blob_hash(content: bytes) -> str:
    """Git's name of a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
