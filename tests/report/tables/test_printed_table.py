from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pandas as pd
import pytest

from bench.report.tables.printed_table import (
    WORSE,
    Cell,
    Grid,
    Line,
    escape_latex,
    to_csv,
    to_json,
    to_latex,
    to_markdown,
    write_grid,
)


def grid(warning: str = "") -> Grid:
    lines = [
        Line("a|b", "A | B", [Cell("92", True, "[80, 97]"), Cell("–")]),
        Line("c_d", "C_D", [Cell("5", mark=WORSE), Cell("1.50")]),
    ]
    return Grid("Pair", ["pos", "paper"], ["Ours ↑", "Paper"], lines, "POS in %", ["100 clips."], "pair", warning)


def test_every_form_holds_heads_values_marks_and_notes() -> None:
    assert to_csv(grid()) == 'pair,pos,paper\na|b,"92 [80, 97]",–\nc_d,5*,1.50\n# POS in %\n# 100 clips.\n'
    assert to_json(grid())["rows"] == [
        {"pair": "a|b", "pos": "92 [80, 97]", "paper": "–"},
        {"pair": "c_d", "pos": "5*", "paper": "1.50"},
    ]
    assert "| A \\| B | **92** [80, 97] | – |\n| C_D | 5* | 1.50 |" in to_markdown(grid())
    latex = to_latex(grid())
    assert r"Pair & Ours $\uparrow$ & Paper \\" in latex
    assert r"A \textbar{} B & \textbf{92} [80, 97] & -- \\" in latex
    assert r"C\_D & 5$^*$ & 1.50 \\" in latex
    assert r"\caption{POS in \%}" in latex
    assert r"\begin{table}[t]" in latex
    assert latex.endswith("\\end{table}\n% 100 clips.\n")  # notes are for the author, not for the paper


def test_a_warning_stands_in_every_form_and_first() -> None:
    warned = grid("Simulated raters, not people.")
    for text in (to_csv(warned), to_markdown(warned), to_latex(warned), json.dumps(to_json(warned))):
        assert text.index("Simulated raters, not people.") < text.index("POS in")
        assert "Simulated" not in text.replace("Simulated raters, not people.", "")
    assert "Simulated" not in to_latex(grid()) + to_markdown(grid()) + to_csv(grid())


def test_a_table_with_holes_cannot_be_made() -> None:
    with pytest.raises(ValueError, match="differ in length"):
        Grid("Model", ["a", "b"], ["A", "B"], [Line("x", "X", [Cell("1")])], "")


def test_latex_leaves_no_character_that_it_does_not_know() -> None:
    assert escape_latex("50 % ≥ α · −1 ~ ^ \\") == (
        r"50 \% $\geq$ $\alpha$ $\cdot$ $-$1 \textasciitilde{} \textasciicircum{} \textbackslash{}"
    )


#: Names that somebody gave a row, and that readers of CSV, LaTeX or Markdown take for something else.
NAMES = ["NA", "001", "run#3", "a,b", 'say "x"', "<b>", "x|y", " edge ", "β-VAE", "Ω", "中文", "a_b^c~d\\e", "100 %"]


def named(names: list[str]) -> Grid:
    return Grid(
        "Model", ["mse"], ["MSE ↓"], [Line(name, name, [Cell("0.5")]) for name in names], "Caption # 1", ["A note."]
    )


def test_names_of_rows_come_back_from_the_csv_as_they_were_given(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_text(to_csv(named(NAMES)), encoding="utf-8")
    table = pd.read_csv(path, comment="#", dtype=str, keep_default_na=False)
    assert list(table["row"]) == NAMES
    assert set(table["mse"]) == {"0.5"}


def test_names_of_rows_are_no_markup_in_markdown() -> None:
    text = to_markdown(named(["<b>", "x|y"]))
    assert r"| \<b> |" in text
    assert r"| x\|y |" in text


@pytest.mark.process
def test_many_columns_go_across_the_page_and_fit_it(tmp_path: Path) -> None:
    cells = [Cell("1523.120 ± 12.345", place == 3, "[1400.123, 1677.456]", WORSE) for place in range(9)]
    wide = Grid("Model", [*"abcdefghi"], ["PSNR, frame (dB) ↑"] * 9, [Line("x", "MD-GAN Stage II", cells)], "C", ["N"])
    latex = to_latex(wide)
    assert r"\begin{table*}[t]" in latex
    assert r"\\" + "\n" + r"     & {\scriptsize [1400.123, 1677.456]} &" in latex
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed (Debian: texlive-latex-base)")
    text = (
        r"\documentclass[twocolumn]{article}\usepackage{booktabs,graphicx}\begin{document}" + latex + to_latex(grid())
    )
    (tmp_path / "t.tex").write_text(text + r"\end{document}", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-1500:]
    assert "Overfull" not in done.stdout


@pytest.mark.process
@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed (Debian: texlive-latex-base)")
def test_latex_compiles_with_any_name_that_it_has_letters_for(tmp_path: Path) -> None:
    table = to_latex(named([name for name in NAMES if name != "中文"]))
    assert "XeLaTeX" not in table
    text = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs,graphicx}\begin{document}" + table
    (tmp_path / "t.tex").write_text(text + r"\end{document}", encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False)
    assert done.returncode == 0, done.stdout[-1500:]


def test_latex_says_which_compiler_has_the_letters_of_a_name() -> None:
    assert "% Compile with XeLaTeX or LuaLaTeX, with a font that has 中文." in to_latex(named(["中文"]))


def test_files_are_written_under_one_stem(tmp_path: Path) -> None:
    paths = write_grid(grid(), tmp_path, "table4")
    assert [path.name for path in paths] == ["table4.csv", "table4.json", "table4.tex", "table4.md"]
    assert json.loads(paths[1].read_text())["caption"] == "POS in %"
