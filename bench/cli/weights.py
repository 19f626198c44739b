"""`bench weights`: weights of the networks behind metrics."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.errors import BenchError
from bench.options import Json, Offline, show

weights_app = typer.Typer(help="Weights of the networks behind FVD, FID and LPIPS.", no_args_is_help=True)


@weights_app.command("list")
def weights_list(as_json: Json = False) -> None:
    """Which weights there are, what for, and whether they are at hand."""
    from bench.pipeline.lists import weights

    show(weights(), as_json)


@weights_app.command("fetch")
def weights_fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Names from `bench weights list`; all by default.")] = None,
    offline: Offline = False,
) -> None:
    """Download published weights, checked against the hash of their publisher."""
    from bench.metrics.networks.weights import FILES, fetch

    for name in names or [name for name in FILES if name != "fvd-styleganv"]:
        print(fetch(name, offline))


@weights_app.command("verify")
def weights_verify(
    numbers: Annotated[bool, typer.Option("--numbers", help="Compute the published check value of FVD too.")] = False,
) -> None:
    """Check the weights at hand against their publishers' hashes."""
    from bench.metrics.networks.weights import FILES, verify

    found = [verify(name) for name in FILES]
    for verification in found:
        print(verification.message)
    if any(verification.state == "other" for verification in found):
        raise BenchError("Some weights are not the published ones: see above.")
    if numbers:
        from bench.metrics.numbers import verify_numbers

        check = verify_numbers()
        print(f"{check.what}: {check.value:.4f}, published {check.published:.4f}")
        if not check.agrees:
            raise BenchError(f"{check.what} does not agree with the published value.")
