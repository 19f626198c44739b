"""The door of the admin page: its password, and a signed cookie that opens it again after a reload."""

from __future__ import annotations

import hashlib
import hmac
import time
from functools import cache

import streamlit as st

from study_app.store.study import OpenStudy

#: How long a browser stays signed in, in seconds.
WORKING_DAY = 8 * 3600
COOKIE = "people_who_run_it"
REMEMBER = """
export default function remember({ data }) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${data.name}=${data.value}; path=/; max-age=${data.seconds}; SameSite=Strict${secure}`;
}
"""
_remember = st.components.v2.component("remember", js=REMEMBER)


def is_open(study: OpenStudy, password: str) -> bool:
    """Whether this visit may see the page; asks for the password where it may not."""
    if "admin" not in st.session_state:
        st.session_state["admin"] = is_valid(str(st.context.cookies.get(COOKIE, "")), password)
    if st.session_state["admin"]:
        value = st.session_state.setdefault("pass", new_pass(password))
        _remember(key="remember", data={"name": COOKIE, "value": value, "seconds": WORKING_DAY})
        return True
    if st.session_state.get("left"):
        _remember(key="forget", data={"name": COOKIE, "value": "", "seconds": 0})
    _ask(study, password)
    return False


def leave() -> None:
    """Sign out, in this browser."""
    st.session_state.update(admin=False, left=True)
    st.session_state.pop("pass", None)


def new_pass(password: str) -> str:
    """A cookie's value: until when it is good, signed under the password, so that another password ends it."""
    until = str(int(time.time()) + WORKING_DAY)
    return f"{until}.{_signature(until, password)}"


def is_valid(value: str, password: str) -> bool:
    """Whether a cookie's value is ours and still good."""
    until, _, signature = value.partition(".")
    if not until.isdecimal() or not hmac.compare_digest(signature.encode(), _signature(until, password).encode()):
        return False
    return int(until) > time.time()


def _signature(until: str, password: str) -> str:
    return hmac.new(_key(password), until.encode(), hashlib.sha256).hexdigest()


@cache
def _key(password: str) -> bytes:
    """Slow on purpose: a cookie that got away must not be a way to try passwords fast."""
    return hashlib.scrypt(password.encode(), salt=b"study_app admin page", n=2**14, r=8, p=1)


def address() -> str:
    """The network address of a visit. A proxy on this machine is believed when it tells whom it asks for."""
    direct = st.context.ip_address  # None for this machine itself
    forwarded = st.context.headers.get("X-Forwarded-For", "") if direct is None else ""
    return forwarded.rpartition(",")[2].strip() or direct or "this machine"


def _ask(study: OpenStudy, password: str) -> None:
    with st.container(key="narrow"), st.form("sign in"):
        given = st.text_input("Password", type="password")
        if st.form_submit_button("Enter", type="primary"):
            right = hmac.compare_digest(given.encode(), password.encode())
            if study.sign_in(right, address()):
                st.session_state["admin"] = True
                st.rerun()
            # the same words for a wrong password and for too many attempts: nothing to learn from them
            st.error(
                "That did not work. After several wrong passwords the page stays shut to you for a quarter of an hour."
            )
