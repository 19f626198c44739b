from __future__ import annotations

from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.pipeline.cache import KINDS, cached, clean


def test_what_is_named_goes_and_all_else_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENCH_CACHE_DIR", str(tmp_path))
    for kind in (*KINDS, "weights"):
        (tmp_path / kind / "a").mkdir(parents=True)
        (tmp_path / kind / "a" / "file").write_bytes(bytes(100))
    assert {one.kind: one.bytes for one in cached()} == dict.fromkeys(KINDS, 100)
    assert [one.kind for one in clean(["unzipped"])] == ["unzipped"]
    assert {path.name for path in tmp_path.iterdir()} == {*KINDS, "weights"} - {"unzipped"}
    with pytest.raises(BenchError, match=r"no 'weights'"):
        clean(["weights", "packs"])
    assert (tmp_path / "packs").exists()
    assert {one.kind: one.bytes for one in cached()}["unzipped"] == 0
