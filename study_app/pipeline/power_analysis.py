"""`bench study plan`: number of votes that a study needs, as text, figure and files."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from bench.files import write_json, write_text
from bench.statistics.two_way_clusters import FEW
from study_app.design import power
from study_app.design.power import WANTED, Design, Power
from study_app.design.settings import WORKLOAD
from study_app.pipeline.csv_files import csv


@dataclass(frozen=True)
class PowerAnalysis:
    """Power of a design.

    Attributes:
        design: the requested design.
        power: its simulated power.
        safe: smallest number of votes per comparison, at the design's votes per pair, from which power is at least
            80 % after Holm's correction; None if no simulated number of votes reaches that with these raters.
        exact: votes needed if they were independent (`power.table`).
        curves: power over votes, by votes per pair (`power.curves`).
    """

    design: Design
    power: Power
    safe: int | None
    exact: pd.DataFrame
    curves: pd.DataFrame

    def as_json(self) -> dict[str, Any]:
        """The analysis as plain values."""
        return {
            "design": asdict(self.design),
            "power": asdict(self.power),
            "trials_a_rater": self.design.trials,
            "raters_needed": self.design.raters_needed,
            "safe_votes": self.safe,
            "exact": self.exact.to_dict("records"),
            "curves": self.curves.to_dict("records"),
        }

    def lines(self) -> list[str]:
        """The analysis as lines of text."""
        design = self.design
        name = "comparison" if design.comparisons == 1 else "comparisons"
        wanted = f"{100 * WANTED:.0f} % power"
        safe = (
            f"{self.safe} votes per comparison"
            if self.safe
            else f"more than {self.curves['votes'].max()} votes, or raters"
        )
        spread = self.curves.pivot_table(index="votes", columns="per_pair", values="corrected")
        spread.columns = [f"{votes} per pair" for votes in spread.columns]
        return [
            f"{design.comparisons} {name} of {design.all_votes} votes ({design.clips} clips of {design.videos} videos, "
            f"{design.votes} per pair), {design.raters} raters of {design.trials} trials each; true preference "
            f"{design.preference:g}; raters differ by {design.rater_sd:g} and clips by {design.clip_sd:g} log odds.",
            f"Power: {self.power.alone:.2f} for one comparison at 5 %, {self.power.corrected:.2f} after Holm "
            f"correction over {design.comparisons}, whatever the other comparisons show.",
            f"For {wanted} after Holm with {design.votes} per pair: {safe}.",
            *self._sessions(),
            "",
            "Power after Holm correction, by votes per comparison (votes spread over more clips give more power):",
            spread.dropna(how="all").round(2).to_string(na_rep="–"),
            "",
            "If votes were independent, an exact test at 5 % would need:",
            self.exact.to_string(index=False),
        ]

    def _sessions(self) -> list[str]:
        """Lines on trials per rater, and on raters needed with the design's workload (`WORKLOAD` if it has none)."""
        design = self.design
        workload = design.workload or WORKLOAD
        lines = []
        if design.unequal or design.drop_out:
            lines.append(
                f"Sessions differ by {design.unequal:g} times their mean, and {100 * design.drop_out:.0f} % of raters "
                "leave early."
            )
        wanted = max(design.all_votes, self.safe or 0)
        for votes in dict.fromkeys([design.all_votes, wanted]):
            of = replace(design, clips=max(2, round(votes / design.votes)), videos=2)
            needs = f"{votes} votes per comparison: {of.trials} trials each for {design.raters} raters"
            more = f", or {of.raters_needed} raters of {workload} trials" if of.raters_needed > design.raters else ""
            lines.append(f"{needs}{more}.")
        if design.raters < FEW:
            lines.append(f"With fewer than {FEW} raters, no comparison can be significant at 5 %. Ask more people.")
        if design.trials > workload:
            lines.append(
                f"`bench study create` gives each rater {workload} trials by default, so {design.raters} raters "
                "would not finish this study. Raise --workload."
            )
        return lines


def power_analysis(design: Design, repeats: int = power.REPEATS, seed: int = 0) -> PowerAnalysis:
    """Simulate a design and similar ones; a `BenchError` for numbers that are not a valid study."""
    power_of_votes = power.simulated_power(design, repeats, seed)
    curves = power.curves(design, repeats, seed)
    return PowerAnalysis(
        design, power_of_votes, power.safe_votes(curves, design.votes), power.table(design.comparisons), curves
    )


def write(planned: PowerAnalysis, out: Path) -> list[Path]:
    """Write `plan.json`, `plan.csv` (the curves) and the figure; returns their paths."""
    write_text(out / "plan.csv", csv(planned.curves))
    write_json(out / "plan.json", planned.as_json())
    draw(planned, out / "plan")
    return [out / f"plan.{ending}" for ending in ("json", "csv", "png", "pdf")]


def draw(planned: PowerAnalysis, path: Path) -> None:
    """Draw power over votes per comparison, one line for each number of votes per pair."""
    import matplotlib.pyplot as plt

    from bench.report.figures.style import STYLE, save_figure

    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(4.6, 3.0))
        for number, (votes, curve) in enumerate(planned.curves.groupby("per_pair")):
            ordered = curve.sort_values("votes")
            colour, label = f"C{number}", f"{votes} per pair"
            axis.plot(ordered["votes"], ordered["corrected"], "o-", markersize=3, color=colour, label=label)
            axis.plot(ordered["votes"], ordered["alone"], ":", color=colour, linewidth=1)
        axis.axhline(WANTED, color="0.5", linewidth=0.8)
        axis.set(xlabel="votes per comparison", ylabel="power", ylim=(0, 1.02))
        correction = f"Holm over {planned.design.comparisons}; dotted: alone"
        axis.set_title(f"true preference {planned.design.preference:g}, {correction}", fontsize=9)
        axis.legend(fontsize=8)
        save_figure(figure, path)
