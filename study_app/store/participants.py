"""Participants: from crowd platforms by their link's parameters, from a lab by its own codes, or through an open link.

Platform IDs are personal data and never stored. The database contains only an HMAC of them, under a key outside the
database. A leaked database therefore does not reveal who took part.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from bench.errors import BenchError

SECRET_VARIABLE = "BENCH_STUDY_SECRET"
#: Platform → parameters that identify the participant and the visit.
PARAMETERS = {
    "prolific": ("PROLIFIC_PID", ("STUDY_ID", "SESSION_ID")),
    "mturk": ("workerId", ("hitId", "assignmentId")),
    "lab": ("participant", ()),
}
#: Parameter of a lab's link that contains its signature, and the length of the signature.
KEY, KEY_LETTERS = "key", 20
#: Minimum length of a key in bytes, and seconds to wait for another process to write it.
SHORTEST, PATIENCE = 16, 5.0
#: Platform name for a study's own parameter.
OTHER = "other"
#: Maximum length of a participant's ID, in characters.
LONGEST_ID = 200
#: Letters of codes, without vowels and digits, so that a code is not a word, and not a number or date in a spreadsheet.
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


@dataclass(frozen=True)
class Visitor:
    """What a link contains about its visitor; `key` is the signature, which only a lab's links have."""

    platform: str
    participant: str
    session: str
    key: str = ""


def new_code() -> str:
    """A new code of ten letters for how a session ended."""
    return "".join(secrets.choice(LETTERS) for _ in range(10))


def new_draw() -> int:
    """A random number that determines the draws of a rater's session."""
    return secrets.randbits(62)


def signature(key: bytes, *parts: str) -> str:
    """Signature of `KEY_LETTERS` letters: 86 bits, too many to guess."""
    number = int(keyed(key, "link", *parts), 16)
    letters = []
    for _ in range(KEY_LETTERS):
        number, place = divmod(number, len(LETTERS))
        letters.append(LETTERS[place])
    return "".join(letters)


def secret(url: URL) -> bytes:
    """Key of all platform hashes, from the environment or from a file next to the SQLite database, created if missing.

    Raises:
        BenchError: the variable's key is too short; or the database is PostgreSQL and the variable is not set (several
            machines must share one key, so none is generated); or the file contains no whole key.
    """
    if given := os.environ.get(SECRET_VARIABLE, ""):
        if len(given) < SHORTEST:
            raise BenchError(f"{SECRET_VARIABLE} is too short for a key. Use at least {SHORTEST} characters.")
        return given.encode()
    if url.get_backend_name() != "sqlite":
        raise BenchError(
            f"Links with platform IDs need a key that is not stored in the database. Set {SECRET_VARIABLE} to a "
            "long random text, the same for all processes of a study."
        )
    path = Path(f"{url.database}.secret")
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return _written_key(path)
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_hex(32).encode())
    return path.read_bytes()


def _written_key(path: Path) -> bytes:
    """The key in a file, which another process may have created just now and not yet written."""
    until = time.monotonic() + PATIENCE
    while len(key := path.read_bytes()) < SHORTEST:
        if time.monotonic() > until:
            raise BenchError(
                f"{path} contains no whole key: the process that created it was stopped. Restore it from a backup, or "
                "delete it if no links with platform IDs have been used yet."
            )
        time.sleep(0.01)
    return key


def keyed(key: bytes, *parts: str) -> str:
    """HMAC-SHA256 of the parts, in hexadecimal; each part is prefixed with its length, so parts cannot run together."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def token_hash(token: str) -> str:
    """Hash of a rater's token for the database; tokens are long and random, so no key is needed."""
    return hashlib.sha256(token.encode()).hexdigest()
