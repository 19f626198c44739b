"""Client of Prolific's API: create a draft of a study, and approve submissions to be paid.

The calls are from version 1 of its reference: `POST /api/v1/studies/` creates a draft,
`GET /api/v1/studies/ID/submissions/` lists submissions, and `POST /api/v1/submissions/ID/transition/` approves one.
This code never rejects a submission, because a person must decide that. Our database does not store participants' IDs,
so the IDs from the API are hashed to find raters.
"""

from __future__ import annotations

import http.client
import json
import math
import os
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import pandas as pd

from bench.errors import BenchError
from study_app.store.participants import LONGEST_ID, Visitor
from study_app.store.study import OpenStudy

TOKEN_VARIABLE, URL_VARIABLE = "BENCH_PROLIFIC_TOKEN", "BENCH_PROLIFIC_URL"
DEFAULT_URL = "https://api.prolific.com"
#: Timeout of a call, in seconds.
PATIENCE = 30
PARAMETERS = "PROLIFIC_PID={{%PROLIFIC_PID%}}&STUDY_ID={{%STUDY_ID%}}&SESSION_ID={{%SESSION_ID%}}"
#: Our completion codes → Prolific's type of the code.
CODE_TYPES = {
    "completion_code": "COMPLETED",
    "failed_code": "FAILED_ATTENTION_CHECK",
    "technical_code": "OTHER",
    "withdrawn_code": "OTHER",
    "ineligible_code": "OTHER",
    "full_code": "OTHER",
    "closed_code": "OTHER",
}
WAITING = "AWAITING REVIEW"


@dataclass(frozen=True)
class Offer:
    """Terms offered to participants.

    Attributes:
        title, description: as shown to participants.
        url: public address of our app, starting with https.
        reward: reward per session, in pence or cents.
        places: number of participants; None for the number that the votes need, plus 10 %.
    """

    title: str
    description: str
    url: str
    reward: int
    places: int | None = None


@dataclass(frozen=True)
class Submission:
    """A submission on Prolific; it is approved only if it awaits review and its rater is to be paid.

    Attributes:
        id, participant, status: as in Prolific's list.
        rater: pseudonym; empty if the participant is unknown to the study.
        why: reason why it is not approved; empty if it is.
    """

    id: str
    participant: str
    status: str
    rater: str
    why: str


class Prolific:
    """Client of the API, with a token from the environment.

    Raises:
        BenchError: the token is missing.
    """

    def __init__(self) -> None:
        self._token = os.environ.get(TOKEN_VARIABLE, "")
        self.url = os.environ.get(URL_VARIABLE, DEFAULT_URL).rstrip("/")
        if not self._token:
            raise BenchError(
                f"Prolific's API needs a token. Create one in Prolific's settings and set {TOKEN_VARIABLE} to it."
            )

    def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Make one call; a `BenchError` for every failure, such as no network, a refusal or an invalid answer."""
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Authorization": f"Token {self._token}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{self.url}/api/v1/{path}", data, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE) as reply:
                answer: Any = json.loads(reply.read() or b"{}")
        except urllib.error.HTTPError as error:
            raise _explain(error) from error
        except (OSError, http.client.HTTPException, ValueError) as error:  # no network, half an answer, or no JSON
            reason = getattr(error, "reason", error)
            raise BenchError(
                f"{self.url} cannot be reached, or sent an invalid answer ({reason}). Try again later."
            ) from error
        if not isinstance(answer, dict):
            raise BenchError(f"{self.url} sent an answer that its documentation does not describe.")
        return answer


def _explain(error: urllib.error.HTTPError) -> BenchError:
    """An error message with what to do about a refusal."""
    if error.code in (401, 403):
        return BenchError(f"Prolific rejects this token ({error.code}). Check {TOKEN_VARIABLE} and its permissions.")
    if error.code == 404:
        return BenchError("Prolific does not know this study or submission. Check the ID.")
    if error.code == 429:
        after = error.headers.get("Retry-After", "")
        wait = f"in {after} seconds" if after.isdecimal() else "in a minute"
        return BenchError(f"Prolific limits the rate of calls. Try again {wait}; finished calls are kept.")
    text = ""
    with suppress(OSError, http.client.HTTPException):  # the connection may break here, too
        text = error.read(400).decode(errors="replace").strip()
    return BenchError(f"Prolific refused the call ({error.code}): {text or error.reason}.")


def draft(study: OpenStudy, offer: Offer) -> dict[str, Any]:
    """The body of the request that creates a draft on Prolific; nothing is sent.

    Raises:
        BenchError: the study is simulated or has no completion code, or the offer is invalid.
    """
    settings = study.settings
    if study.simulated:
        raise BenchError("This study is simulated, so there is nobody to pay. Name another study with --study.")
    if not settings.completion_code:
        raise BenchError("The study has no common completion code. Create it with --completion-code.")
    if not offer.url.startswith("https://"):
        raise BenchError("Prolific only accepts addresses that start with https://.")
    if offer.reward < 1 or not offer.title.strip() or not offer.description.strip():
        raise BenchError("Give a title, a description and a reward in pence or cents.")
    wanted = int(study.progress()["wanted"].sum())
    return {
        "name": offer.title,
        "internal_name": study.name,
        "description": offer.description,
        "external_study_url": f"{offer.url.rstrip('/')}/?{PARAMETERS}",
        "prolific_id_option": "url_parameters",
        "completion_codes": [
            {"code": code, "code_type": type_, "actions": [{"action": "MANUALLY_REVIEW"}]}
            for setting, type_ in CODE_TYPES.items()
            if (code := getattr(settings, setting))
        ],
        "total_available_places": offer.places or math.ceil(1.1 * wanted / settings.workload),
        "estimated_completion_time": settings.minutes,
        "reward": offer.reward,
        "device_compatibility": ["desktop", "tablet"],
        "peripheral_requirements": [],
        "filters": [],
    }


def create(study: OpenStudy, offer: Offer) -> str:
    """Create the draft and return its ID on Prolific; the study is published on Prolific's website."""
    made = str(Prolific().call("POST", "studies/", draft(study, offer)).get("id", ""))
    if not made:
        raise BenchError("Prolific did not return the ID of a new study. Check on Prolific whether it was created.")
    study.audit("prolific", "drafted", made)
    return made


def submissions(study: OpenStudy, prolific_id: str) -> list[Submission]:
    """All submissions on Prolific, each marked whether it is to be paid: complete, passed and not excluded."""
    raters = study.raters().set_index("platform_hash")
    listed = Prolific().call("GET", f"studies/{quote(prolific_id, safe='')}/submissions/").get("results")
    if not isinstance(listed, list):
        raise BenchError("Prolific sent a list of submissions that its documentation does not describe.")
    return [_judged(study, raters, line) for line in listed]


def _judged(study: OpenStudy, raters: pd.DataFrame, line: dict[str, Any]) -> Submission:
    participant = str(line.get("participant_id") or line.get("participant") or "")
    status = str(line.get("status", "")).upper().replace("_", " ").replace("-", " ")
    known = study.platform_hash(Visitor("prolific", participant[:LONGEST_ID], ""))
    rater = raters.loc[known] if participant and known in raters.index else None
    if rater is None:
        why = "unknown to this study, or erased"
    elif rater["status"] != "complete" or rater["passed"] != "yes":
        why = f"not complete and passed: {rater['status']}"
    elif rater["excluded"]:
        why = f"excluded: {rater['excluded']}"
    else:
        why = "" if status == WAITING else f"nothing to review: {status.lower()}"
    return Submission(str(line.get("id", "")), participant, status, "" if rater is None else str(rater["rater"]), why)


def approve(study: OpenStudy, listed: list[Submission]) -> int:
    """Approve and record each submission to be paid; returns their number. No submission is rejected."""
    prolific = Prolific()
    paid = [submission for submission in listed if not submission.why]
    for submission in paid:
        prolific.call("POST", f"submissions/{quote(submission.id, safe='')}/transition/", {"action": "APPROVE"})
        study.audit("prolific", "approved", submission.rater)
    return len(paid)
