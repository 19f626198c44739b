"""The pass of a person who is signed in to the admin page: a signed cookie that no script can read."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from functools import cache

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bench.errors import BenchError
from study_app.store.study import OpenStudy
from study_app.web.calls import Call, check_origin, read
from study_app.web.served_study import PASSWORD_VARIABLE, SHORTEST_PASSWORD, serving

#: How long a browser stays signed in, in seconds.
WORKING_DAY = 8 * 3600
COOKIE = "people_who_run_it"


def password() -> str:
    """The password of the admin page; empty if none is set, or if it is too short to be safe."""
    given = os.environ.get(PASSWORD_VARIABLE, "")
    return given if len(given) >= SHORTEST_PASSWORD else ""


def new_pass(password: str) -> str:
    """New cookie value: its expiry time, signed with the password, so that changing the password revokes it."""
    said = f"{int(time.time()) + WORKING_DAY}.{secrets.token_hex(8)}"
    return f"{said}.{_signature(said, password)}"


def is_valid(value: str, password: str, study: OpenStudy) -> bool:
    """Whether a cookie's value is ours and still valid: neither expired nor signed out."""
    said, _, signature = value.rpartition(".")
    until = said.partition(".")[0]
    if not password or not until.isdecimal():
        return False
    if not hmac.compare_digest(signature.encode(), _signature(said, password).encode()) or int(until) <= time.time():
        return False
    return not study.has_signed_out(value)


def _signature(said: str, password: str) -> str:
    return hmac.new(_key(password), said.encode(), hashlib.sha256).hexdigest()


@cache
def _key(password: str) -> bytes:
    """Signing key of a password; slow on purpose, so that a leaked cookie does not allow fast password guessing."""
    return hashlib.scrypt(password.encode(), salt=b"study_app admin page", n=2**14, r=8, p=1)


async def _session(request: Request) -> Response:
    """Set a browser's pass as a cookie, or delete it if the value is not a valid pass."""
    try:
        check_origin(request)
        call = Call.of(request, await read(request, 1024))
    except HTTPException as refusal:
        return JSONResponse({"message": refusal.detail}, refusal.status_code)

    def is_good() -> bool:
        return is_valid(call.text("value"), password(), serving())

    response = Response(status_code=204)
    try:
        good = await run_in_threadpool(is_good)
    except BenchError:
        return Response(status_code=503)
    if good:
        response.set_cookie(
            COOKIE, call.text("value"), WORKING_DAY, secure=call.secure, httponly=True, samesite="strict"
        )
    else:
        response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


ROUTES = [Route("/admin/session", _session, methods=["POST"])]
