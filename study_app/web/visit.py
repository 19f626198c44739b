"""Who is visiting: by the link's parameters, by this browser session, or by the cookie of an earlier one."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass

import streamlit as st

from study_app.store.platforms import Visitor, visitor
from study_app.store.schema import Rater
from study_app.store.study import OpenStudy

#: Name of the cookie, which the player sets, that brings a browser back to its session.
COOKIE = "rater"


@dataclass(frozen=True)
class Visit:
    """A visit: the study, and the token that stands for the person."""

    study: OpenStudy
    token: str
    visitor: Visitor | None

    def rater(self) -> Rater | None:
        """The rater, if they have consented."""
        return self.study.rater(self.token)


def address() -> str:
    """The network address of a visit. A proxy on this machine is believed when it tells whom it asks for."""
    direct = st.context.ip_address  # None for this machine itself
    told = st.context.headers.get("X-Forwarded-For", "") if direct is None else ""
    return told.rpartition(",")[2].strip() or direct or "this machine"


def visit(study: OpenStudy) -> Visit:
    """Identify the visit.

    Raises:
        RefusedError: the link's ids make no sense.
        BenchError: there is no key to hash them with.
    """
    who = visitor(st.query_params.to_dict())
    if who:
        return Visit(study, study.token_of(who), who)
    if "token" not in st.session_state:
        cookie = str(st.context.cookies.get(COOKIE, ""))
        kept = re.fullmatch(r"[\w-]{43}", cookie) and study.rater(cookie)
        st.session_state["token"] = cookie if kept else secrets.token_urlsafe(32)
    return Visit(study, st.session_state["token"], None)
