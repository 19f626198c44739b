"""Firefox by its own remote protocol, Marionette: a few calls over a socket, and no driver in between.

A message is its length, a colon and JSON; a call is [0, number, name, parameters], a reply [1, number, error, result].
"""

from __future__ import annotations

import base64
import json
import socket
import subprocess
import time
from pathlib import Path
from typing import Any

PREFERENCES = {
    "marionette.port": 0,  # filled in by each start
    "datareporting.policy.dataSubmissionEnabled": False,
    "toolkit.telemetry.enabled": False,
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "browser.startup.page": 0,
    "dom.disable_open_during_load": False,
}


class Firefox:
    """A browser with a profile of its own, without a screen."""

    def __init__(self, program: str, folder: Path, port: int, **preferences: Any) -> None:
        folder.mkdir(parents=True)
        said = {**PREFERENCES, "marionette.port": port, **preferences}
        lines = [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in said.items()]
        (folder / "user.js").write_text("\n".join(lines))
        command = [program, "--headless", "--marionette", "--remote-allow-system-access", "--no-remote"]
        command += ["--profile", str(folder), "about:blank"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._number = 0
        self._socket = self._connect(port)
        self._read()  # it says who it is
        self.call("WebDriver:NewSession", capabilities={})

    def _connect(self, port: int) -> socket.socket:
        for _ in range(2400):
            try:
                return socket.create_connection(("127.0.0.1", port), timeout=300)
            except OSError:
                assert self.process.poll() is None, "Firefox did not start"
                time.sleep(0.05)
        raise AssertionError("Firefox does not answer")

    def _read(self) -> Any:
        length = b""
        while not length.endswith(b":"):
            length += self._receive(1)
        data = b""
        while len(data) < int(length[:-1]):
            data += self._receive(int(length[:-1]) - len(data))
        return json.loads(data)

    def _receive(self, most: int) -> bytes:
        data = self._socket.recv(most)
        assert data, "Firefox has ended"
        return data

    def call(self, name: str, **parameters: Any) -> Any:
        """Make a call; its result."""
        self._number += 1
        data = json.dumps([0, self._number, name, parameters]).encode()
        self._socket.sendall(f"{len(data)}:".encode() + data)
        _, _, error, result = self._read()
        assert error is None, f"{name}: {error['message']}"
        return result

    def open(self, url: str) -> None:
        """Open an address."""
        self.call("WebDriver:Navigate", url=url)

    def run(self, script: str, *arguments: Any) -> Any:
        """What a script in the page returns."""
        return self.call("WebDriver:ExecuteScript", script=script, args=list(arguments))["value"]

    def wait(self, script: str, seconds: float = 120) -> Any:
        """Wait until an expression is true in the page."""
        for _ in range(int(20 * seconds)):
            if value := self.run(f"return {script}"):
                return value
            time.sleep(0.05)
        raise AssertionError(f"{script} is not so; the page says: {self.run('return document.body.innerText')}")

    def click(self, text: str) -> None:
        """Click on the button, label or link that says this, when it is there."""
        found = "[...document.querySelectorAll('button, label, a')].find((e) => e.innerText.trim() === arguments[0])"
        for _ in range(2400):
            if self.run(f"const e = {found}; return !!e && !e.disabled && !e.hidden", text):
                self.run(f"({found}).scrollIntoView(); ({found}).click()", text)
                return
            time.sleep(0.05)
        raise AssertionError(f"nothing says {text}: {self.run('return document.body.innerText')}")

    def size(self, width: int, height: int) -> None:
        """Give the page this size. A window has a least width, larger than a phone's; what shows the page has none."""
        self.call("WebDriver:SetWindowRect", width=width + 100, height=height + 300)
        self.call("Marionette:SetContext", value="chrome")
        style = (
            "const { style } = gBrowser.selectedBrowser; style.width = style.minWidth = style.maxWidth = arguments[0]; "
        )
        style += "style.height = style.minHeight = style.maxHeight = arguments[1];"
        self.run(style, f"{width}px", f"{height}px")
        self.call("Marionette:SetContext", value="content")
        self.wait(f"innerWidth === {width} && innerHeight === {height}")

    def screenshot(self, path: Path) -> None:
        """The page as it is seen."""
        data = self.call("WebDriver:TakeScreenshot", full=False, hash=False)["value"]
        path.write_bytes(base64.b64decode(data))

    def close(self) -> None:
        """End it."""
        self._socket.close()
        self.process.kill()
        self.process.wait()
