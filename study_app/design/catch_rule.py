"""Raters' attention: the rule on catch trials, as pure functions of what a rater got right.

The rule is stated before a study starts. Random clickers rarely pass it, and attentive raters rarely fail it. A rule
that is too short for both is refused, never scaled down. A rater is excluded as soon as the rule can no longer be met.
If a rater leaves early, the votes count only if a random clicker would rarely have given the catch answers so far.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Literal

from scipy.stats import binom

from bench.errors import BenchError

#: Assumed share of catch trials that an attentive rater gets wrong.
SLIPS = 0.02
#: Maximum error of a rule: the share of random clickers who pass, and of attentive raters who are excluded.
ERROR = 0.05
Verdict = Literal["open", "passed", "failed"]


@dataclass(frozen=True)
class CatchRule:
    """A rater must get `needed` of `planned` catch trials right; without catch trials, all raters pass."""

    planned: int
    needed: int

    def __str__(self) -> str:
        passes, fails = (f"{100 * share:.0f} %" for share in (self.random_passes, self.attentive_fails))
        rule = f"The rule of {self.needed} right catch trials of {self.planned}"
        return f"{rule} passes {passes} of random clickers and fails {fails} of attentive raters"

    @property
    def random_passes(self) -> float:
        """Probability that a random clicker passes."""
        return float(binom.sf(self.needed - 1, self.planned, 0.5))

    @property
    def attentive_fails(self) -> float:
        """Probability that an attentive rater, who errs in 2 % of catch trials, is excluded."""
        return float(binom.cdf(self.needed - 1, self.planned, 1 - SLIPS))

    @property
    def is_weak(self) -> bool:
        """Whether either error is too frequent; without catch trials, there is no rule that could be weak."""
        return self.planned > 0 and max(self.random_passes, self.attentive_fails) > ERROR

    def check(self) -> None:
        """Raise a `BenchError` for an impossible rule, and for a weak one (see `is_weak`).

        A study without catch trials has no rule and passes. Whether that is allowed is decided elsewhere.
        """
        if not 0 <= self.needed <= self.planned:
            raise BenchError(f"A rater has {self.planned} catch trials and cannot pass {self.needed} of them.")
        if not self.is_weak:
            return
        least = smallest_rule()
        raise BenchError(
            f"{self}; at most {100 * ERROR:.0f} % each is allowed. Give {least.planned} or more, as --catch "
            f"{least.planned} --catch-pass {least.needed}; or accept a weak rule (--accept-weak-catch) or none "
            "(--catch 0)."
        )

    def verdict(self, right: int, had: int) -> Verdict:
        """The verdict on a rater after `had` answered catch trials; "failed" once the rule can no longer be met."""
        if had - right > self.planned - self.needed:
            return "failed"
        return "passed" if right >= self.needed else "open"

    def counts_after_leaving(self, right: int, had: int) -> bool:
        """Whether the votes of a rater who leaves early count.

        They count if the rule was met. They also count if it could still be met and a random clicker would have done
        as well with a probability of at most 5 %: five of five, seven of eight. Without an answered catch trial, they
        do not count.
        """
        state = self.verdict(right, had)
        return state == "passed" or (state == "open" and float(binom.sf(right - 1, had, 0.5)) <= ERROR)


def strictest_rule(planned: int) -> CatchRule:
    """The strictest rule for `planned` catch trials that does not exclude too many attentive raters."""
    needed = planned
    while CatchRule(planned, needed).attentive_fails > ERROR:
        needed -= 1
    return CatchRule(planned, needed)


def smallest_rule() -> CatchRule:
    """The rule with the fewest trials that `check` accepts: 7 of 8."""
    rules = (strictest_rule(planned) for planned in count(1))
    return next(rule for rule in rules if not rule.is_weak)
