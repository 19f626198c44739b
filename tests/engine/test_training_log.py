from __future__ import annotations

from pathlib import Path

from bench.engine.training_log import TrainingLog, read_log


def write(folder: Path, resumed: tuple[int, int], points: list[tuple[int, int]], value: float) -> None:
    with TrainingLog(folder, resumed) as log:
        for stage, step in points:
            log.write(stage, f"s{stage}", step, {"loss": value})


def steps(folder: Path) -> list[tuple[int, int, float]]:
    return [(int(row[0]), int(row[2]), float(row[4])) for row in read_log(folder / "training.csv")]


def test_steps_that_are_run_again_are_logged_once(tmp_path: Path) -> None:
    write(tmp_path, (0, 0), [(0, 1), (0, 2), (0, 3)], 1.0)
    write(tmp_path, (0, 2), [(0, 3), (0, 4)], 2.0)
    assert steps(tmp_path) == [(0, 1, 1.0), (0, 2, 1.0), (0, 3, 2.0), (0, 4, 2.0)]
    write(tmp_path, (1, 0), [(1, 1)], 3.0)  # a stage begins: all of the one before stays
    assert steps(tmp_path)[-2:] == [(0, 4, 2.0), (1, 1, 3.0)]
    write(tmp_path, (0, 0), [(0, 1)], 4.0)
    assert steps(tmp_path) == [(0, 1, 4.0)]


def test_a_line_that_a_kill_cut_short_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, (0, 0), [(0, 1), (0, 2)], 0.5)
    path = tmp_path / "training.csv"
    path.write_text(path.read_text() + "0,s0,3,lo")
    assert [step for _, step, _ in steps(tmp_path)] == [1, 2]
    write(tmp_path, (0, 2), [(0, 3)], 0.25)
    assert [step for _, step, _ in steps(tmp_path)] == [1, 2, 3]


def test_only_the_first_process_writes(tmp_path: Path) -> None:
    with TrainingLog(tmp_path / "x", (0, 0), writes=False) as log:
        log.write(0, "s", 1, {"loss": 1.0})
        log.flush()
    assert not (tmp_path / "x").exists()
