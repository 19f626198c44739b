"""Sign-in to the admin page: its password, and a cookie that restores access after a reload."""

from __future__ import annotations

import hmac

import streamlit as st

from study_app.store.study import OpenStudy
from study_app.web import admin_session, calls
from study_app.web.admin import style
from study_app.web.served_study import PASSWORD_VARIABLE, SHORTEST_PASSWORD

#: Lets the server set the cookie, so that no script can read it.
REMEMBER = """
export default function remember({ data }) {
  if (window.adminPass === data.value) return;
  window.adminPass = data.value;
  const body = JSON.stringify({ value: data.value });
  const headers = { "Content-Type": "application/json" };
  fetch(new URL("admin/session", document.baseURI), { method: "POST", headers, body });
}
"""
_remember = st.components.v2.component("remember", js=REMEMBER)


def is_open(study: OpenStudy) -> bool:
    """Whether this visit may see the page; if not, ask for the password."""
    password = admin_session.password()
    if not password:
        style.page(
            "The admin page is off",
            f"To turn it on, start the app with {PASSWORD_VARIABLE} set to a password of at least "
            f"{SHORTEST_PASSWORD} characters.",
        )
        return False
    if "pass" not in st.session_state:
        st.session_state["pass"] = (
            "" if "left" in st.session_state else st.context.cookies.get(admin_session.COOKIE, "")
        )
    value = str(st.session_state["pass"])
    if admin_session.is_valid(value, password, study):
        _remember(key="remember", data={"value": value})
        return True
    if st.session_state.get("left"):
        _remember(key="forget", data={"value": ""})
    _ask(study, password)
    return False


def leave(study: OpenStudy) -> None:
    """Sign out, so that this pass is no longer valid in any browser."""
    study.sign_out(str(st.session_state.get("pass", "")))
    st.session_state["left"] = True
    st.session_state["pass"] = ""


def address() -> str:
    """The network address of a visit."""
    direct = st.context.ip_address or calls.THIS_MACHINE[0]  # None for this machine
    return calls.forwarded(direct, st.context.headers.get("X-Forwarded-For", ""))


def _ask(study: OpenStudy, password: str) -> None:
    with st.container(key="narrow"), st.form("sign in"):
        given = st.text_input("Password", type="password")
        if st.form_submit_button("Enter", type="primary"):
            right = hmac.compare_digest(given.encode(), password.encode())
            if study.sign_in(right, address()):
                st.session_state["pass"] = admin_session.new_pass(password)
                st.rerun()
            # the same message for a wrong password and for too many attempts, so that it reveals nothing
            st.error("Sign-in failed. After several wrong passwords, the page is locked for you for 15 minutes.")
