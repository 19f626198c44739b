"""`bench study`: the group of its subcommands."""

from __future__ import annotations

import sys

import typer

from bench.errors import BenchError
from study_app.cli import create, manage, prolific, results

app = typer.Typer(no_args_is_help=True, help="Human study: create, serve and export it.")

#: Subcommands in the order of `--help`.
COMMANDS = (
    create.create,
    manage.serve,
    manage.links,
    results.status,
    results.export,
    results.simulate,
    results.plan,
    manage.preview,
    manage.pilot,
    manage.register,
    manage.pause,
    manage.close,
    manage.reopen,
    manage.unlock,
    manage.extend,
    manage.erase,
)

for command in COMMANDS:
    app.command()(command)
app.add_typer(prolific.app, name="prolific")


def main() -> None:
    """Run this group on its own, as `python -m study_app.cli.main`."""
    try:
        app()
    except BenchError as error:
        print(error, file=sys.stderr)
        raise SystemExit(1) from error


if __name__ == "__main__":
    main()
