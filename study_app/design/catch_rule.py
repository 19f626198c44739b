"""Who attends: the rule on catch trials, as pure functions of what a rater got right.

The rule is stated before a study starts, and is one that somebody who presses keys at random rarely passes and
somebody who attends rarely fails; what is too short for both is refused and never scaled down. A rater is out as soon
as the rule cannot be met. Of those who leave early only they count whose answers so far a random clicker would rarely
have given.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Literal

from scipy.stats import binom

from bench.errors import BenchError

#: How often somebody who attends gets a catch trial wrong, taken for the rule.
SLIPS = 0.02
#: What a rule may get wrong: random clickers it lets through, attentive raters it excludes.
ERROR = 0.05
Verdict = Literal["open", "passed", "failed"]


@dataclass(frozen=True)
class CatchRule:
    """Of `planned` catch trials a rater must get `needed` right; of none, everybody passes."""

    planned: int
    needed: int

    def __str__(self) -> str:
        passes, fails = (f"{100 * share:.0f} %" for share in (self.random_passes, self.attentive_fails))
        rule = f"The rule of {self.needed} right catch trials of {self.planned}"
        return f"{rule} passes {passes} of random clickers and fails {fails} of attentive raters"

    @property
    def random_passes(self) -> float:
        """Probability that somebody who presses keys at random passes."""
        return float(binom.sf(self.needed - 1, self.planned, 0.5))

    @property
    def attentive_fails(self) -> float:
        """Probability that somebody who attends, and errs in 2 % of catch trials, is excluded."""
        return float(binom.cdf(self.needed - 1, self.planned, 1 - SLIPS))

    @property
    def is_weak(self) -> bool:
        """Whether one of the two goes wrong too often. Without catch trials there is no rule that could be weak."""
        return self.planned > 0 and max(self.random_passes, self.attentive_fails) > ERROR

    def check(self) -> None:
        """Raise a `BenchError` for a rule that tells attentive raters and random clickers apart too badly.

        A study without catch trials has no rule and passes; whether it may do without is not decided here.
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
        """Of a rater who has answered `had` catch trials so far; "failed" as soon as the rule cannot be met."""
        if had - right > self.planned - self.needed:
            return "failed"
        return "passed" if right >= self.needed else "open"

    def counts_after_leaving(self, right: int, had: int) -> bool:
        """Whether the votes of a rater count who goes no further.

        They do if the rule was met; or if it could still be met and a random clicker would have done as well with a
        probability of 5 % at most: five of five, seven of eight. Without an answered catch trial nobody counts.
        """
        state = self.verdict(right, had)
        return state == "passed" or (state == "open" and float(binom.sf(right - 1, had, 0.5)) <= ERROR)


def strictest_rule(planned: int) -> CatchRule:
    """The rule that asks most of `planned` catch trials and excludes no more attentive raters than it may."""
    needed = planned
    while CatchRule(planned, needed).attentive_fails > ERROR:
        needed -= 1
    return CatchRule(planned, needed)


def smallest_rule() -> CatchRule:
    """The rule with the fewest trials that `check` accepts: 7 of 8."""
    rules = (strictest_rule(planned) for planned in count(1))
    return next(rule for rule in rules if not rule.is_weak)
