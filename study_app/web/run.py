"""One app process: `python -m study_app.web.run --port 8501 --address 127.0.0.1`, which `bench study serve` starts."""

from __future__ import annotations

import argparse
from importlib import import_module

import uvicorn

from study_app.web.connections import GuardedProtocol, Server, allow_files, log_sparingly


def main() -> int:
    """Serve until a signal stops the server; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m study_app.web.run", description="Serve a study to raters.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--address", required=True)
    given = parser.parse_args()
    app = import_module("study_app.web.app").app  # Streamlit sets up its own log on import
    allow_files()
    log_sparingly()
    config = uvicorn.Config(
        app,
        host=given.address,
        port=given.port,
        http=GuardedProtocol,
        ws="websockets-sansio",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    server = Server(config)
    server.run()
    return 0 if server.started else 3


if __name__ == "__main__":
    raise SystemExit(main())
