from __future__ import annotations

import os
import signal
import subprocess
import sys
from math import inf
from pathlib import Path

import pytest

from bench.data import workers
from bench.data.workers import fresh_processes, processors, quota
from bench.errors import BenchError
from tests.support.small import REPOSITORY

#: Of a container of version 2, of one of version 1 (whose own group is what it sees at the top), and of none.
V2 = "0::/\n"
V1 = "9:name=systemd:/docker/ab\n3:cpuset:/docker/ab\n2:cpu,cpuacct:/docker/ab\n0::/docker/ab\n"


@pytest.mark.parametrize(
    ("membership", "files", "allowed"),
    [
        (V2, {"cpu.max": "150000 100000\n"}, 1.5),
        (V2, {"cpu.max": "max 100000\n"}, inf),
        (V2, {}, inf),
        ("0::/../../elsewhere\n", {"cpu.max": "300000 100000\n"}, 3),
        ("0::/pod/app\n", {"pod/app/cpu.max": "max 100000\n", "pod/cpu.max": "50000 100000\n"}, 0.5),
        ("0::/pod/app\n", {"pod/app/cpu.max": "100000 50000\n", "pod/cpu.max": "400000 100000\n"}, 2),
        (V1, {"cpu,cpuacct/cpu.cfs_quota_us": "250000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, 2.5),
        (V1, {"cpu,cpuacct/cpu.cfs_quota_us": "-1\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, inf),
        (V1, {"cpuset/cpu.cfs_quota_us": "1000\n", "cpuset/cpu.cfs_period_us": "100000\n"}, inf),
    ],
)
def test_quotas_of_control_groups_are_read(
    membership: str, files: dict[str, str], allowed: float, tmp_path: Path
) -> None:
    (tmp_path / "membership").write_text(membership)
    for name, content in files.items():
        (tmp_path / "mounted" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "mounted" / name).write_text(content)
    assert quota(tmp_path / "membership", tmp_path / "mounted") == allowed


def test_without_control_groups_there_is_no_quota(tmp_path: Path) -> None:
    assert quota(tmp_path / "none", tmp_path) == inf


def test_no_more_workers_than_quota_and_affinity_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "process_cpu_count" if sys.version_info >= (3, 13) else "sched_getaffinity"
    processor_count = (lambda *_: 8) if sys.version_info >= (3, 13) else (lambda *_: set(range(8)))
    monkeypatch.setattr(os, name, processor_count)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    for allowed, count in ((inf, 8), (100, 8), (2.5, 3), (0.1, 1)):
        monkeypatch.setattr(workers, "quota", lambda allowed=allowed: allowed)
        assert processors() == count


def end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.process
def test_a_worker_that_is_killed_is_one_sentence() -> None:
    with (
        pytest.raises(BenchError, match=r"was killed.*Free some memory, or use fewer workers"),
        fresh_processes(1) as pool,
    ):
        pool.submit(end).result()


@pytest.mark.process
def test_a_script_without_a_guard_is_told_what_it_lacks(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from pathlib import Path\n"
        "from bench.data.synthetic.generate import make_sky\n"
        f"make_sky(Path({str(tmp_path / 'sky')!r}), train_videos=1, test_videos=1, clips_per_video=1, workers=2)\n"
    )
    command = [sys.executable, str(script)]
    env = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    ended = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.count("Traceback") == 2  # of the first process alone: what broke, and what it means
    assert """Put the script's main part under `if __name__ == "__main__":`""" in ended.stderr.splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["script.py"]
