"""`bench push` by Hugging Face's own client, against a stand-in for the hub on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.pipeline import push as pushing
from bench.pipeline.publishable_files import Upload, UploadItem
from bench.pipeline.push import Repository, check_benchmark, push
from tests.support.hub import TOKEN, Hub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    constants = pytest.importorskip("huggingface_hub.constants", reason="pip install huggingface_hub")
    server = Hub()
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("BENCH_OFFLINE", "")
    # Large files by the protocol of Git LFS: their newer one talks to servers that have no stand-in.
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    yield server
    server.close()


@pytest.fixture
def upload(tmp_path: Path) -> Upload:
    content = {
        "README.md": "---\ntags:\n- timelapse-bench\n---\n# Results – of a run\n".encode(),
        "scores/per_clip.csv": b"row,clip\n" * 1000,
        "figures/over_time.png": bytes(range(256)) * 900,
        "checkpoints/sky-vgan-0.pt": bytes(reversed(range(256))) * 5000,
    }
    for name, data in content.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(data)
    return Upload([UploadItem(name, tmp_path / name) for name in content], [])


def bytes_of(upload: Upload) -> dict[str, bytes]:
    return {item.name: item.path.read_bytes() for item in upload.items}


@pytest.mark.parametrize("kind", ["dataset", "model"])
def test_what_arrives_is_what_was_sent_byte_for_byte(kind: str, hub: Hub, upload: Upload) -> None:
    address = push(upload, Repository("lab/sky", kind), "Results of sky")
    assert hub.files == {f"{kind}s/lab/sky": bytes_of(upload)}
    assert hub.visibility == {f"{kind}s/lab/sky": "private"}
    assert address == f"{hub.url}/{'datasets/' if kind == 'dataset' else ''}lab/sky/commit/{1:040d}"


def test_the_same_push_again_sends_nothing_and_another_only_what_changed(hub: Hub, upload: Upload) -> None:
    first = push(upload, Repository("lab/sky", visibility="public"), "Results of sky")
    hub.requests.clear()
    assert push(upload, Repository("lab/sky"), "Results of sky") == first
    assert hub.commits == 1
    assert not [requested for requested in hub.requests if "/stored/" in requested or "/commit/" in requested]
    assert hub.visibility == {"datasets/lab/sky": "public"}  # as it was made
    upload.items[2].path.write_bytes(b"another picture")
    push(upload, Repository("lab/sky"), "Results of sky")
    assert (hub.commits, hub.files["datasets/lab/sky"]) == (2, bytes_of(upload))
    assert len([requested for requested in hub.requests if "/stored/" in requested]) == 1


def test_a_push_that_was_cut_off_goes_on(hub: Hub, upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.broken = "/api/datasets/lab/sky/commit"
    with pytest.raises(BenchError, match=r"could not be reached .* To resume, repeat the command"):
        push(upload, Repository("lab/sky"), "Results of sky")
    assert (hub.commits, len(hub.stored)) == (0, 2)
    hub.broken = ""
    hub.requests.clear()
    push(upload, Repository("lab/sky"), "Results of sky")
    assert hub.files == {"datasets/lab/sky": bytes_of(upload)}
    assert not [requested for requested in hub.requests if "/stored/" in requested]


def test_what_goes_wrong_is_a_sentence(hub: Hub, upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BenchError, match=r"refuses the token in HF_TOKEN for others/sky \(HTTP status 403\)"):
        push(upload, Repository("others/sky"), "m")
    monkeypatch.setenv("HF_TOKEN", "hf_of_nobody")
    with pytest.raises(BenchError, match=r"refuses the token .*\(HTTP status 401\)\. The token needs write access"):
        push(upload, Repository("lab/sky"), "m")
    hub.close()
    with pytest.raises(BenchError, match="Hugging Face could not be reached"):
        push(upload, Repository("lab/sky"), "m")
    assert not hub.files


def test_without_a_token_or_a_network_nothing_is_asked(upload: Upload, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(BenchError, match="BENCH_OFFLINE forbids connections"):
        push(upload, Repository("lab/sky"), "m")
    monkeypatch.setenv("BENCH_OFFLINE", "")
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(BenchError, match=r"HF_TOKEN is not set\. Create a token .* `--dry-run` needs no token"):
        push(upload, Repository("lab/sky"), "m")


def test_what_is_no_repository_is_named() -> None:
    for name in ("sky", "a/b/c", "https://somewhere/lab/sky", "lab/"):
        with pytest.raises(BenchError, match=r"is not a repository: expected OWNER/NAME"):
            Repository(name)
    with pytest.raises(BenchError, match="A repository is a dataset or a model, not a 'space'"):
        Repository("lab/sky", "space")
    assert pushing.TOKEN == "HF_TOKEN"


def test_numbers_for_a_benchmark_go_from_model_repositories_only() -> None:
    check_benchmark("lab/sky-benchmark", Repository("lab/sky", "model"))
    with pytest.raises(BenchError, match="lab/sky is a dataset repository: the hub accepts benchmark results from"):
        check_benchmark("lab/sky-benchmark", Repository("lab/sky"))
    with pytest.raises(BenchError, match="'sky' is not a repository"):
        check_benchmark("sky", Repository("lab/sky", "model"))
