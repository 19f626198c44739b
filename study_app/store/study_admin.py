"""Administration of a study as a whole: pausing, closing, erasing a rater, extending it, and its audit trail."""

from __future__ import annotations

import hmac
from collections.abc import Sequence

from sqlalchemy.orm import Session

from bench.errors import BenchError
from study_app.store import audit_trail, erasure, raters, schedule_rows
from study_app.store.connection.transactions import Transactions
from study_app.store.participants import OTHER, PARAMETERS, Visitor, keyed, secret, signature
from study_app.store.schema.rater_tables import Rater
from study_app.store.schema.study_tables import Extension, Study


class StudyAdmin:
    """The part of an open study (`study_app.store.study.OpenStudy`) that does not concern single votes."""

    row: Study
    _transactions: Transactions

    def state(self) -> audit_trail.State:
        """State of the study: open, paused or closed."""
        return self._transactions.read(lambda s: audit_trail.state(s, self.row))

    def change(self, action: audit_trail.Action, actor: str, reason: str = "") -> None:
        """Pause, close or reopen the study."""
        self._transactions.write(lambda s: audit_trail.change(s, self.row, action, actor, reason))

    def audit(self, actor: str, action: str, detail: str = "") -> None:
        """Add a line to the audit trail."""
        self._transactions.write(lambda s: audit_trail.audit(s, self.row, actor, action, detail))

    def sign_in(self, right: bool, address: str = "") -> bool:
        """Whether a sign-in to the admin page is allowed; refused after too many wrong passwords from the address.

        One password opens all studies of an app, so attempts are counted over the whole database.
        """
        return self._transactions.write(lambda s: audit_trail.sign_in(s, right, address))

    def sign_out(self, value: str) -> None:
        """Revoke a pass to the admin page."""
        self._transactions.write(lambda s: audit_trail.sign_out(s, value))

    def has_signed_out(self, value: str) -> bool:
        """Whether a pass to the admin page has been revoked."""
        return self._transactions.read(lambda s: audit_trail.has_signed_out(s, value))

    def platform_hash(self, visitor: Visitor) -> str:
        """Keyed hash that the database stores for a platform participant's ID."""
        return keyed(secret(self._transactions.url), self.row.name, visitor.platform, self.participant(visitor))

    def participant(self, visitor: Visitor) -> str:
        """ID of a participant; a lab's codes are typed by hand, so case is ignored: P07 and p07 are one person."""
        return visitor.participant.casefold() if visitor.platform == "lab" else visitor.participant

    def link_key(self, participant: str) -> str:
        """Signature of a lab's link for a participant, without which the ID does not give access."""
        return signature(secret(self._transactions.url), self.row.name, participant.strip().casefold())

    def is_signed(self, visitor: Visitor) -> bool:
        """Whether a lab's link has the signature of its ID."""
        return hmac.compare_digest(visitor.key.upper().encode(), self.link_key(visitor.participant).encode())

    def owner_key(self, token: str) -> str:
        """Key for the browser in which a rater with an ID in their link agreed to take part."""
        return keyed(secret(self._transactions.url), "owner", self.row.name, token)

    def guest_key(self, token: str) -> str:
        """Key for another browser in which such a rater has opened their link again."""
        return keyed(secret(self._transactions.url), "guest", self.row.name, token)

    def is_same_visit(self, rater: Rater, visitor: Visitor) -> bool:
        """Whether a platform's link names the visit in which a rater agreed; only they and the platform know it."""
        if not visitor.session.strip("|") or rater.session_hash is None:
            return False
        return hmac.compare_digest(rater.session_hash, self.session_hash(visitor))

    def session_hash(self, visitor: Visitor) -> str:
        """Keyed hash that the database stores for a platform's visit ID."""
        return keyed(secret(self._transactions.url), self.row.name, "session", visitor.session)

    def erase(self, reason: str, made_by: str, *, rater: str = "", participant: str = "") -> str:
        """Make a rater anonymous, given by their pseudonym or by the ID in their link; return the new pseudonym.

        The database file is rewritten afterwards, so that nothing is left between its rows.

        Raises:
            BenchError: there is no such rater, they have already been erased, or no reason is given.
        """
        if bool(rater) == bool(participant):
            raise BenchError("Say which rater to erase: give either the pseudonym or the ID of their link.")
        ids = [Visitor(platform, participant, "") for platform in (*PARAMETERS, OTHER)] if participant else []
        hashes = tuple(self.platform_hash(visitor) for visitor in ids)

        def work(session: Session) -> str:
            meant = erasure.find(session, self.row, rater, hashes)
            return erasure.erase(session, self.row, meant, reason, made_by)

        pseudonym = self._transactions.write(work)
        self._transactions.scrub(erasure.TRACES)
        return pseudonym

    def extensions(self) -> Sequence[Extension]:
        """All extensions of the study, in order."""
        return self._transactions.read(lambda s: schedule_rows.extensions(s, self.row))

    def slot_bytes(self) -> int:
        """Length of one clip's slot in every trial's message."""
        return self._transactions.read(lambda s: schedule_rows.slot_bytes(s, self.row))

    def extend(self, made: schedule_rows.Extended, by: str) -> None:
        """Add votes or clips."""
        self._transactions.write(lambda s: schedule_rows.extend(s, self.row, made, by))

    def schedule_sha256(self) -> str:
        """Hash of the schedule that the study should have: the original one, or that of its last extension."""
        added = self.extensions()
        return added[-1].schedule_sha256 if added else self.row.schedule_sha256

    def decline(self) -> None:
        """Count a person who does not agree to take part; nothing else about them is stored."""
        self._transactions.write(lambda s: raters.decline(s, self.row))

    def declined(self) -> int:
        """Number of people who did not agree to take part."""
        return self._transactions.read(lambda s: raters.declined(s, self.row))
