"""Where the time of one suggestion of tpe goes when 1,000 trials are known, stage by stage.

The functions in which the stages happen are replaced by ones that look at the clock before and after. A stage's time
is its own: what a stage inside of it takes is not counted twice. Looking at the clock takes time too, some tenths of
a microsecond for each look, so the shares are better than the sums. The median of many suggestions counts, for each
stage.

The spaces are those of `suggestion_time.py`.
"""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from common import table, wants_quick
from suggestion_time import SPACES, HyperoptStyle

from hpspace.run import bridge
from hpspace.suggest.tpe import algorithm, choose, evaluation, evidence
from hpspace.suggest.tpe.candidates import Candidates
from hpspace.suggest.tpe.latest import Latest
from hpspace.suggest.tpe.sampler import Sampler
from hpspace.suggest.tpe.sight import Sight
from hpspace.suggest.tpe.stack import Stack
from hpspace.suggest.tpe.tally import Tally
from hpspace.suggest.tpe.trend import Trend
from hpspace.trials import codec

#: What is in no stage, and the whole.
REST, WHOLE = "everything between them", "a whole suggestion"

#: What happens in which function: of a class or a module, where the caller looks it up.
STAGES: dict[str, list[tuple[Any, str]]] = {
    "a generator made from the seed": [(bridge, "generator_from")],
    "documents: look for changes, write the new one": [(bridge, "history_of"), (codec, "documents")],
    "split: which trials are good, and their weights": [(algorithm, "split")],
    "new trials: noted": [(Tally, "follow")],
    "new trials: their kernels": [(Latest, "followed"), (Stack, "joined")],
    "settled trials: what follows from them, from time to time": [(evidence, "Settled")],
    "good trials: their density, made when they change": [(evidence, "Good"), (evidence, "foreground")],
    "trend: the Gaussian process (up to 200 trials)": [(Trend, "of"), (Trend, "scores")],
    "draw candidates": [(Sampler, "draw")],
    "look up where candidates stand": [(evaluation, "Sight")],
    "marginal densities": [(Sight, "log_marginals")],
    "joint densities: kernels": [(evaluation, "product"), (evaluation, "of_grid")],
    "joint densities: sums of exponentials": [(evaluation, "log_sums")],
    "choose: values and keys of the best": [(choose.Chooser, "_best_new"), (Candidates, "rows")],
}


class Clock:
    """Own times of stages in the suggestion that runs."""

    def __init__(self) -> None:
        self.seconds: defaultdict[str, float] = defaultdict(float)
        self._inside = 0.0  # of stages that ended within the one that runs

    def watched(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that does the same and notes its time."""

        def timed(*args: Any, **kwargs: Any) -> Any:
            before, self._inside = self._inside, 0.0
            start = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                seconds = time.perf_counter() - start
                self.seconds[stage] += seconds - self._inside
                self._inside = before + seconds

        return timed


@contextmanager
def watched(clock: Clock) -> Iterator[None]:
    """Let the clock see every stage for the duration of the block."""
    before = [
        (place, name, vars(place)[name], stage) for stage, places in STAGES.items() for place, name in places
    ]
    try:
        for place, name, function, stage in before:
            if isinstance(function, classmethod):
                setattr(place, name, clock.watched(stage, getattr(place, name)))
            else:
                setattr(place, name, clock.watched(stage, function))
        yield
    finally:
        for place, name, function, _ in before:
            setattr(place, name, function)


def profile(space: str, trials: int, rounds: int) -> dict[str, float]:
    """Return the median seconds of each stage, and of a whole suggestion."""
    subject, clock = HyperoptStyle("hpspace", "tpe", space, trials), Clock()
    seen: dict[str, list[float]] = {stage: [] for stage in [*STAGES, REST, WHOLE]}
    with watched(clock):
        for _ in range(rounds + 1):
            clock.seconds.clear()
            whole = subject.suggest()
            for stage in STAGES:
                seen[stage].append(clock.seconds[stage])
            seen[REST].append(whole - sum(clock.seconds.values()))
            seen[WHOLE].append(whole)
    return {stage: statistics.median(seconds[1:]) for stage, seconds in seen.items()}


def report(quick: bool) -> str:
    trials, rounds = (30, 3) if quick else (1_000, 300)
    profiles = [profile(space, trials, rounds) for space in SPACES]
    rows = [[stage, *(cell(one[stage], one[WHOLE]) for one in profiles)] for stage in profiles[0]]
    return table([f"{trials:,} trials, tpe", *SPACES], rows)


def cell(seconds: float, whole: float) -> str:
    return f"{seconds * 1e6:.0f} µs ({seconds / whole:.0%})"


if __name__ == "__main__":
    print(report(wants_quick(__doc__)))
