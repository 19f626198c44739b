"""Synthetic raters with known preferences, who use the same store as people; for power estimates and tests."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np

from bench.errors import BenchError
from study_app.design.questions import COMPREHENSION, COMPREHENSION_ANSWERS, GRADES, SCALE, TIE, Questions
from study_app.design.schedule import ALTERED
from study_app.pipeline import copies
from study_app.store.messages import Answer, Further
from study_app.store.store import Store
from study_app.store.study import OpenStudy

#: Strengths that reproduce the paper's Tables II and III about as well as possible with one number per method.
PAPER_STRENGTHS = {"real": 2.6, "mdgan-2": 0.9, "mdgan-1": 0.1, "vgan": -1.0, "rnngan": -2.3}
#: Tie parameter ν of Davidson's model, and boundaries between grades on the scale of the strengths.
TIES = 0.5
CUTS = (-2.0, -0.5, 0.5, 2.0)


@dataclass(frozen=True)
class Crowd:
    """Preferences of the simulated raters.

    Attributes:
        strengths: method → log-odds strength; 0 for unknown methods.
        rater_sd, clip_sd: standard deviation over raters and over clips, on the log-odds scale.
        careless: share of raters who answer at random.
    """

    strengths: dict[str, float]
    rater_sd: float = 0.0
    clip_sd: float = 0.0
    careless: float = 0.0


def simulate(store: Store, study: OpenStudy, raters: int, crowd: Crowd, seed: int = 0) -> tuple[OpenStudy, int]:
    """Copy a study as a simulated one and let synthetic raters rate it; returns the copy and its number of votes.

    The copy and each of its votes are marked as `simulated`, so they can never enter a tally of the original study.
    """
    if raters < 1:
        raise BenchError("A simulation needs at least one rater.")
    if not 0 <= crowd.careless <= 1:
        raise BenchError("The share of careless raters must be between 0 and 1.")
    twin = copies.simulated(store, study)
    return twin, sum(rate(twin, crowd, seed, number) for number in range(raters))


def rate(study: OpenStudy, crowd: Crowd, seed: int, number: int) -> int:
    """Let one synthetic rater complete a session; returns the number of votes cast."""
    rng = np.random.default_rng([seed, number])
    careless = rng.random() < crowd.careless
    leaning = crowd.rater_sd * rng.normal()
    token = hashlib.sha256(f"simulated/{seed}/{number}/{study.name}".encode()).hexdigest()
    one_play = 1000 * study.settings.frames / study.settings.rate
    questions, votes = study.settings.questions, 0
    study.enrol(token)
    view = study.view(token)
    while view.state in ("rating", "asked"):
        if view.part:
            view = study.reply(token, view.part, replies(questions, view.part, rng))
            continue
        trial = view.trials[0]
        scene, left, right = study.shown(token, trial)
        chosen = []
        for _ in range(1 + len(questions.further)):
            if questions.kind == SCALE:
                chosen.append(grade(crowd, left, scene, leaning, seed, rng) if not careless else rng.choice(GRADES))
                continue
            share = 0.5 if careless else left_share(crowd, left, right, scene, leaning, seed)
            tied = questions.cannot_tell and rng.random() < tie_share(share)
            chosen.append(TIE if tied else "left" if rng.random() < share else "right")
        first, *others = (Further(str(one), int(one_play + rng.gamma(3.0, 700.0))) for one in chosen)
        view = study.vote(token, trial, Answer(first.chosen, first.response_ms, further=tuple(others)))
        votes += 1
    return votes


def replies(questions: Questions, part: str, rng: np.random.Generator) -> dict[str, str]:
    """Answers that make a synthetic rater eligible; choices that do not affect eligibility are random."""
    if part == COMPREHENSION:
        return dict(COMPREHENSION_ANSWERS)
    return {
        question.id: str(rng.choice([choice.id for choice in question.choices]))
        if question.choices and not question.eligible
        else question.example()
        for question in questions.part(part)
    }


def left_share(crowd: Crowd, left: str, right: str, scene: str, leaning: float, seed: int) -> float:
    """Probability that a careful rater chooses the left method."""
    if {left, right} & set(ALTERED):
        return 0.02 if left in ALTERED else 0.98
    gap = crowd.strengths.get(left, 0.0) - crowd.strengths.get(right, 0.0)
    # raters and clips shift a comparison towards its alphabetically first method, regardless of the side
    shift = leaning + crowd.clip_sd * np.random.default_rng([seed, *scene.encode()]).normal()
    return float(1 / (1 + np.exp(-(gap + (shift if left < right else -shift)))))


def tie_share(share: float) -> float:
    """Probability of a tie if `share` of decided votes are for the left (Davidson, JASA 1970, with ν = `TIES`)."""
    even = TIES * float(np.sqrt(share * (1 - share)))
    return even / (1 + even)


def grade(crowd: Crowd, system: str, scene: str, leaning: float, seed: int, rng: np.random.Generator) -> str:
    """A careful rater's grade: method strength plus clip and rater effects and noise, cut at `CUTS`."""
    if system in ALTERED:
        return "1" if rng.random() < 0.98 else "3"
    clip = crowd.clip_sd * np.random.default_rng([seed, *scene.encode()]).normal()
    felt = crowd.strengths.get(system, 0.0) + leaning + clip + rng.logistic()
    return GRADES[int(np.searchsorted(CUTS, felt))]
