"""Who comes: people from crowd platforms by their link's parameters, people of a lab by an own code, or anybody.

Platform ids are personal data. They are never stored: only an HMAC of them under a key that lies outside the database,
so that a leaked database does not tell who took part.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from bench.errors import BenchError

SECRET_VARIABLE = "BENCH_STUDY_SECRET"
#: Platform → parameters that name the participant and the visit.
PARAMETERS = {
    "prolific": ("PROLIFIC_PID", ("STUDY_ID", "SESSION_ID")),
    "mturk": ("workerId", ("hitId", "assignmentId")),
    "lab": ("participant", ()),
}
#: The parameter of a lab's link that holds its signature, and the signature's length.
KEY, KEY_LETTERS = "key", 20
#: The platform of a study's own parameter.
OTHER = "other"
#: Characters of a participant's ID at most.
LONGEST_ID = 200
#: Letters of codes: without vowels and digits, so that a code is no word, no number and no date in a spreadsheet.
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"


@dataclass(frozen=True)
class Visitor:
    """What a link says of who follows it; `key` is a signature, of a lab's links only."""

    platform: str
    participant: str
    session: str
    key: str = ""


def new_code() -> str:
    """A code for how a session has ended, of ten letters."""
    return "".join(secrets.choice(LETTERS) for _ in range(10))


def new_draw() -> int:
    """The number that a rater's session is drawn by."""
    return secrets.randbits(62)


def signature(key: bytes, *parts: str) -> str:
    """A signature of `KEY_LETTERS` letters: 86 bits, which nobody guesses."""
    number = int(keyed(key, "link", *parts), 16)
    letters = []
    for _ in range(KEY_LETTERS):
        number, place = divmod(number, len(LETTERS))
        letters.append(LETTERS[place])
    return "".join(letters)


def secret(url: URL) -> bytes:
    """The key of all platform hashes: from the environment, or a file beside the SQLite database, made when missing.

    Raises:
        BenchError: PostgreSQL without the variable: several machines must share one key, so none is made up.
    """
    if given := os.environ.get(SECRET_VARIABLE, ""):
        if len(given) < 16:
            raise BenchError(f"{SECRET_VARIABLE} is too short for a key. Use at least 16 characters.")
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
        return path.read_bytes()
    with os.fdopen(handle, "wb") as file:
        file.write(secrets.token_hex(32).encode())
    return path.read_bytes()


def keyed(key: bytes, *parts: str) -> str:
    """HMAC-SHA256 of the parts, in hexadecimal; parts cannot run into each other."""
    text = "".join(f"{len(part)}:{part}" for part in parts)
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def token_hash(token: str) -> str:
    """What the database keeps of a rater's token; tokens are long and random, so no key is needed."""
    return hashlib.sha256(token.encode()).hexdigest()
