"""Who comes: people from crowd platforms by their link's parameters, people of a lab by an own code, or anybody.

Platform ids are personal data. They are never stored: only an HMAC of them under a key that lies outside the database,
so that a leaked database does not tell who took part.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL

from bench.errors import BenchError
from study_app.store.rating import RefusedError

SECRET_VARIABLE = "BENCH_STUDY_SECRET"
#: Platform → parameters that name the participant and the visit.
PARAMETERS = {
    "prolific": ("PROLIFIC_PID", ("STUDY_ID", "SESSION_ID")),
    "mturk": ("workerId", ("hitId", "assignmentId")),
    "lab": ("participant", ()),
}
LONGEST = 200
#: What a platform, or a script of somebody's, leaves in a link whose placeholder it did not fill in: everybody who
#: follows it would be the same person.
UNFILLED = re.compile(r"[{}<>%$]|\[\[|\]\]|^(undefined|null|none|nan|your[_ -].*|n/a)$", re.IGNORECASE)


@dataclass(frozen=True)
class Visitor:
    """What a link says of who follows it."""

    platform: str
    participant: str
    session: str


def visitor(parameters: Mapping[str, str]) -> Visitor | None:
    """Read a link's parameters; None when it names nobody.

    Raises:
        RefusedError: the id is empty, too long or a placeholder that was not filled in, or MTurk shows a preview where
            work is not accepted yet; its words are for whoever followed the link.
    """
    if parameters.get("assignmentId") == "ASSIGNMENT_ID_NOT_AVAILABLE":
        raise RefusedError("This is a preview: please accept the task first.")
    for platform, (key, others) in PARAMETERS.items():
        if key not in parameters:
            continue
        participant = parameters[key].strip()
        session = "|".join(parameters.get(other, "") for other in others)
        unfilled = UNFILLED.search(participant) or "_ID_NOT_AVAILABLE" in participant
        if not participant or unfilled or len(participant) > LONGEST or len(session) > 2 * LONGEST:
            raise RefusedError("The link is not complete: please open it again from where you got it.")
        return Visitor(platform, participant, session)
    return None


def secret(url: URL) -> bytes:
    """The key of all platform hashes: from the environment, or a file beside the SQLite database, made when missing.

    Raises:
        BenchError: PostgreSQL without the variable: several machines must share one key, so none is made up.
    """
    if given := os.environ.get(SECRET_VARIABLE, ""):
        if len(given) < 16:
            raise BenchError(f"{SECRET_VARIABLE} is too short to be a key: give at least 16 characters.")
        return given.encode()
    if url.get_backend_name() != "sqlite":
        raise BenchError(
            f"Links with platform ids need a key that lies outside the database: set {SECRET_VARIABLE} to a long "
            "random text, the same for all processes of a study."
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
