"""`bench push`: a run's page, tables and figures to a repository on Hugging Face, by its own client.

All files come in one commit. What is there already is not sent again: a push that was cut off continues with the same
command, and one that changes nothing makes no commit.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from bench.config import is_offline
from bench.download.dataset_sources import HUB
from bench.errors import BenchError
from bench.pipeline.publishable_files import Upload
from bench.progress import console

#: Where a token with the right to write stands, under the name that Hugging Face's own tools read.
TOKEN = "HF_TOKEN"
KINDS = ("dataset", "model")


@dataclass(frozen=True)
class Repository:
    """Where a run goes.

    Attributes:
        name: "owner/name".
        kind: "dataset", or "model" for one with checkpoints.
        visibility: "private" or "public", of a repository that is made now; one that is there stays as it is.
    """

    name: str
    kind: str = "dataset"
    visibility: str = "private"

    def __post_init__(self) -> None:
        """Refuse what no repository can be.

        Raises:
            BenchError: a name that is none, or another kind.
        """
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", self.name):
            raise BenchError(f"'{self.name}' is not a repository: expected OWNER/NAME, as in my-lab/sky-small.")
        if self.kind not in KINDS:
            raise BenchError(f"A repository is a {' or a '.join(KINDS)}, not a '{self.kind}'.")


def check_benchmark(benchmark: str, to: Repository) -> None:
    """Raise a `BenchError` where numbers cannot go to a benchmark's leaderboards from a repository."""
    Repository(benchmark)  # the name is one
    if to.kind != "model":
        raise BenchError(
            f"{to.name} is a {to.kind} repository: the hub accepts benchmark results from model repositories only. "
            "Give --checkpoints or --kind model."
        )


def push(upload: Upload, to: Repository, message: str) -> str:
    """Send an upload; returns the address of the commit that holds it.

    Args:
        upload: what is sent.
        to: the repository; made where it is not there.
        message: of the commit.

    Raises:
        BenchError: no token, one that is refused or may not write there, no network, an answer that is none.
    """
    if is_offline():
        raise BenchError("BENCH_OFFLINE forbids connections. Unset it, or use `--dry-run` to list what would be sent.")
    token = os.environ.get(TOKEN, "").strip()
    if not token:
        raise BenchError(
            f"{TOKEN} is not set. Create a token with write access in the settings of your Hugging Face account, "
            "and set the variable to it. `--dry-run` needs no token."
        )
    from huggingface_hub import CommitOperationAdd, HfApi

    api = HfApi(endpoint=os.environ.get("HF_ENDPOINT", HUB).rstrip("/"), token=token)
    with _explained_errors(to), _quietly():
        api.create_repo(to.name, repo_type=to.kind, private=to.visibility == "private", exist_ok=True)
        files = [CommitOperationAdd(item.name, str(item.path)) for item in upload.items]
        return str(api.create_commit(to.name, files, commit_message=message, repo_type=to.kind).commit_url)


@contextmanager
def _explained_errors(to: Repository) -> Iterator[None]:
    """What goes wrong between here and the hub, as sentences."""
    from huggingface_hub import errors

    again = "To resume, repeat the command."
    try:
        yield
    except errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403, 404):  # of a repository that a token may not see, the hub says that it is not there
            raise BenchError(
                f"Hugging Face refuses the token in {TOKEN} for {to.name} (HTTP status {status}). The token "
                "needs write access, and the owner must be you or one of your organisations."
            ) from error
        raise BenchError(f"Hugging Face did not take {to.name} (HTTP status {status}). {again}") from error
    except (errors.HTTPError, OSError) as error:  # of the transport
        raise BenchError(f"Hugging Face could not be reached ({_error_text(error)}). {again}") from error
    except ValueError as error:  # what its client makes of an answer
        raise BenchError(f"Hugging Face did not take {to.name} ({_error_text(error)}). {again}") from error


def _error_text(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


@contextmanager
def _quietly() -> Iterator[None]:
    """Bars of the hub's client on a terminal only, and none of its remarks."""
    from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars, logging

    level, hidden = logging.get_verbosity(), are_progress_bars_disabled()
    if not console().is_terminal:
        disable_progress_bars()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if not hidden:
            enable_progress_bars()
