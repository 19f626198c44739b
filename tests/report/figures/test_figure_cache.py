from __future__ import annotations

from pathlib import Path

from bench.report.figures.figure_cache import STAMP, FigureCache


def draw(folder: Path, shows: object, drawn: list[str], nothing: bool = False) -> Path | None:
    """Draw one figure the way a report does; `drawn` grows where it was really drawn."""

    def write(path: Path) -> None:
        drawn.append(path.name)
        if not nothing:
            for ending in (".pdf", ".png"):
                path.with_suffix(ending).write_text(str(shows))

    folder.mkdir(exist_ok=True)
    figures = FigureCache(folder)
    found = figures.draw("curve", shows, write)
    figures.close()
    return found


def test_a_figure_is_drawn_again_only_where_what_it_shows_has_changed(tmp_path: Path) -> None:
    drawn: list[str] = []
    assert draw(tmp_path, [1], drawn) == tmp_path / "curve.png"
    draw(tmp_path, [1], drawn)
    assert len(drawn) == 1
    draw(tmp_path, [2], drawn)
    assert len(drawn) == 2
    assert (tmp_path / "curve.pdf").read_text() == "[2]"


def test_a_figure_that_somebody_removed_is_drawn_again(tmp_path: Path) -> None:
    drawn: list[str] = []
    draw(tmp_path, [1], drawn)
    (tmp_path / "curve.pdf").unlink()
    draw(tmp_path, [1], drawn)
    (tmp_path / STAMP).write_text("{half a st")
    draw(tmp_path, [1], drawn)
    assert len(drawn) == 3
    for ending in (".pdf", ".png"):
        (tmp_path / f"curve{ending}").unlink()
    assert draw(tmp_path, [1], drawn) == tmp_path / "curve.png"
    assert len(drawn) == 4


def test_where_there_is_nothing_to_draw_no_old_figure_stays(tmp_path: Path) -> None:
    drawn: list[str] = []
    draw(tmp_path, [1], drawn)
    assert draw(tmp_path, [], drawn, nothing=True) is None
    assert not list(tmp_path.glob("curve.*"))
    assert draw(tmp_path, [], drawn, nothing=True) is None  # and is not asked for again
    assert len(drawn) == 2
