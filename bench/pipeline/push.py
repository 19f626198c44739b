"""`bench push`: send a run's HTML report, tables and figures to a Hugging Face repository, with the official client.

All files go into one commit. Files that are already there are not sent again. To resume an interrupted push, repeat
the command. A push that changes nothing makes no commit.
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

#: Environment variable for a token with write access; Hugging Face's own tools read the same name.
TOKEN = "HF_TOKEN"
KINDS = ("dataset", "model")


@dataclass(frozen=True)
class Repository:
    """The repository that a run is sent to.

    Attributes:
        name: "owner/name".
        kind: "dataset", or "model" for one with checkpoints.
        visibility: "private" or "public", for a new repository; an existing one stays as it is.
    """

    name: str
    kind: str = "dataset"
    visibility: str = "private"

    def __post_init__(self) -> None:
        """Refuse an invalid repository.

        Raises:
            BenchError: the name is invalid, or the kind is unknown.
        """
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", self.name):
            raise BenchError(f"'{self.name}' is not a repository: expected OWNER/NAME, as in my-lab/sky-small.")
        if self.kind not in KINDS:
            raise BenchError(f"A repository is a {' or a '.join(KINDS)}, not a '{self.kind}'.")


def check_benchmark(benchmark: str, to: Repository) -> None:
    """Raise a `BenchError` if a repository's numbers cannot go to a benchmark's leaderboards."""
    Repository(benchmark)  # checks the name
    if to.kind != "model":
        raise BenchError(
            f"{to.name} is a {to.kind} repository: the hub accepts benchmark results from model repositories only. "
            "Give --checkpoints or --kind model."
        )


def push(upload: Upload, to: Repository, message: str) -> str:
    """Send an upload; returns the address of the commit that contains it.

    Args:
        upload: what is sent.
        to: the repository; created if it does not exist.
        message: commit message.

    Raises:
        BenchError: there is no token, it is refused or lacks write access, there is no network, or the answer is
            invalid.
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
    """Turn errors between this machine and the hub into error messages."""
    from huggingface_hub import errors

    again = "To resume, repeat the command."
    try:
        yield
    except errors.HfHubHTTPError as error:
        status = error.response.status_code if error.response is not None else 0
        if status in (401, 403, 404):  # the hub reports a repository that a token may not see as missing
            raise BenchError(
                f"Hugging Face refuses the token in {TOKEN} for {to.name} (HTTP status {status}). The token "
                "needs write access, and the owner must be you or one of your organisations."
            ) from error
        raise BenchError(f"Hugging Face did not take {to.name} (HTTP status {status}). {again}") from error
    except (errors.HTTPError, OSError) as error:  # transport errors
        raise BenchError(f"Hugging Face could not be reached ({_error_text(error)}). {again}") from error
    except ValueError as error:  # the hub's client cannot read an answer
        raise BenchError(f"Hugging Face did not take {to.name} ({_error_text(error)}). {again}") from error


def _error_text(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


@contextmanager
def _quietly() -> Iterator[None]:
    """Show progress bars of the hub's client on a terminal only, and hide its log messages below errors."""
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
