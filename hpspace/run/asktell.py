"""A search that the user drives: ask for configurations, evaluate them however and wherever, tell how they ended.

`Search` is what is left of `fmin` when nobody calls the objective: the space is compiled and checked, the algorithm
sees the history, trials are documents of any `Trials`. Asked one at a time with the same seed it proposes what `fmin`
would. It calls nothing, waits for nothing, and has no thread, except that trials of a store that others share are kept
leased while they are open.

An asked trial is RUNNING until it is told. What is never told is put back into the queue by `Search.close`.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Hashable, Mapping
from contextlib import ExitStack
from typing import Any, overload

from hpspace.exceptions import SpaceExhausted, TrialPruned
from hpspace.prune import pruner_from
from hpspace.run import turn
from hpspace.run.arguments import validate_search
from hpspace.run.best import Best, best_of
from hpspace.run.bridge import as_suggest
from hpspace.run.ctrl import Ctrl
from hpspace.run.direction import direct, direction_of, stored
from hpspace.run.domain import Domain
from hpspace.run.points import queue_points
from hpspace.run.prepare import prepare, resource_of
from hpspace.run.seeds import base_from
from hpspace.run.stopping import is_count
from hpspace.run.supply import Supply
from hpspace.trials.document import JOB_STATE_NAMES, JOB_STATE_NEW, JOB_STATE_RUNNING, spec_from_misc
from hpspace.trials.trials import Trials

logger = logging.getLogger(__name__)


class Ask:
    """A trial that was asked for and is to be told; made by `Search.ask`.

    Attributes
    ----------
    tid : hashable
        Its id.
    point : dict
        Label to raw value (a choice's index), active labels only.
    config : object
        The configuration: the space with values instead of expressions, as an objective would see it.
    trial : dict
        Its document.
    ctrl : Ctrl
        Its control: attachments, checkpoints, logging.
    """

    def __init__(self, trial: dict[str, Any], domain: Domain, ctrl: Ctrl) -> None:
        self.tid = trial["tid"]
        self.trial = trial
        self.ctrl = ctrl
        self.point: dict[str, Any] = spec_from_misc(trial["misc"])
        self.config: Any = domain.evaluate_async(self.point, ctrl)[1]

    @property
    def attachments(self) -> Any:
        """Attachments of the trial: read and write by name."""
        return self.ctrl.attachments

    def report(self, value: float, step: int | None = None) -> None:
        """Report an intermediate value; see `Ctrl.report`.

        Parameters
        ----------
        value : float
            In the direction asked for.
        step : int, optional
            How far the trial is.

        Raises
        ------
        ValueError
            The trial was told already.
        """
        self._check_running("report")
        self.ctrl.report(value, step)

    def should_prune(self) -> bool:
        """Say whether the trial should be ended early; tell it `TrialPruned()` then."""
        self._check_running("should_prune")
        return self.ctrl.should_prune()

    def _check_running(self, what: str) -> None:
        if self.trial["state"] != JOB_STATE_RUNNING:
            raise ValueError(
                f"{what} of trial {self.tid}: it is {JOB_STATE_NAMES[self.trial['state']]}, not open"
            )

    def __repr__(self) -> str:
        return f"Ask(tid={self.tid!r}, config={self.config!r})"


class Search:
    """A search by ask and tell.

    Parameters
    ----------
    space : object
        As for `fmin`.
    algo : callable, str, Algorithm or None
        As for `fmin`.
    trials : Trials or None
        Where trials are kept, and those known already; None makes new ones. Of any class: with a store that several
        processes share, each of them may ask and tell.
    direction : {"minimize", "maximize"}
        What to look for.
    seed : int, Generator, RandomState, SeedSequence or None
        The seed.
    pruner : str, Pruner, callable or None
        Decides what `Ask.should_prune` answers.
    points_to_evaluate : list of dict or None
        Points to be asked first, as for `fmin`.
    revisit : bool
        Whether a finite space's configuration may be asked again.

    Attributes
    ----------
    trials : Trials
        Where trials are kept.
    space : CompiledSpace
        The compiled space.

    Notes
    -----
    Trials of a shared store are leased to this process while they are open: a thread extends their leases until they
    are told, and if the process dies they go back into the queue when the lease is over. Only the process that asked
    for a trial can tell it there. Trials in memory have no lease.

    Examples
    --------
    >>> from hpspace import Search, hp
    >>> search = Search({"x": hp.uniform("x", -5, 5)}, algo="rand", seed=0)
    >>> for _ in range(20):
    ...     ask = search.ask()
    ...     search.tell(ask, (ask.config["x"] - 1) ** 2)
    >>> abs(search.best.config["x"] - 1) < 1
    True
    """

    def __init__(
        self,
        space: Any,
        algo: Any = "tpe",
        trials: Any = None,
        *,
        direction: str = "minimize",
        seed: Any = None,
        pruner: Any = None,
        points_to_evaluate: Any = None,
        revisit: bool = False,
    ) -> None:
        validate_search(space, trials)
        suggest, self._base = as_suggest(algo), base_from(seed)
        self._domain = Domain(_nobody_calls, space)
        self._domain.revisit = revisit
        self._domain.pruner = pruner_from(pruner, resource_of(self._domain.space))
        self.space = self._domain.space
        self.trials = Trials() if trials is None else trials
        direct(self.trials, direction)
        if not getattr(self.trials, "asynchronous", False):
            turn.requeue_interrupted(self.trials)
        if points_to_evaluate is not None:
            queue_points(self.trials, self.space, points_to_evaluate, self._base)
        prepare(self.trials, self._domain, self._base)
        self.trials.refresh()
        self._supply = Supply(suggest, self._domain, self.trials, self._base)
        self._open: dict[Any, Ask] = {}
        self._leases = ExitStack()

    # -- asking --------------------------------------------------------------------------------------------

    @overload
    def ask(self, n: None = None) -> Ask: ...

    @overload
    def ask(self, n: int) -> list[Ask]: ...

    def ask(self, n: int | None = None) -> Ask | list[Ask]:
        """Ask for trials: first those in the queue, then what the algorithm proposes.

        Parameters
        ----------
        n : int or None
            How many, in one call of the algorithm, which makes them different from each other; None is one.

        Returns
        -------
        Ask or list of Ask
            With a number a list, shorter if there are not so many; all are open until they are told.

        Raises
        ------
        SpaceExhausted
            Without `n`: there is nothing to ask for.
        """
        if n is None:
            asks = self._asks(1)
            if not asks:
                raise SpaceExhausted(self._why_nothing())
            return asks[0]
        if not is_count(n):
            raise ValueError(f"ask({n!r}): pass a number of trials, 1 or more")
        return self._asks(int(n))

    def _asks(self, n: int) -> list[Ask]:
        asks = self._claimed(n)
        while len(asks) < n and self._supply.ask(n - len(asks)):
            turn.look(self.trials)
            asks += self._claimed(n - len(asks))
        return asks

    def _claimed(self, n: int) -> list[Ask]:
        """Take up to n trials out of the queue."""
        asks: list[Ask] = []
        for trial in turn.queued(self.trials):
            if len(asks) == n:
                break
            self._keep_leases()
            if turn.claim(self.trials, trial):
                asks.append(self._opened(trial))
        return asks

    def _opened(self, trial: dict[str, Any]) -> Ask:
        ask = self._open[trial["tid"]] = Ask(trial, self._domain, self._ctrl(trial))
        return ask

    def _ctrl(self, trial: dict[str, Any]) -> Ctrl:
        return Ctrl(self.trials, trial, pruner=self._domain.pruner)

    def _keep_leases(self) -> None:
        """Keep what is claimed from now on, until nothing is open any more."""
        if not self._open:
            self._leases.close()
            self._leases.enter_context(turn.move(self.trials, "keeping_alive")())

    def _why_nothing(self) -> str:
        waiting = f", and {len(self._open)} are open" if self._open else ""
        return (
            f"the algorithm proposes nothing: the space has {self.space.cardinality()} configurations, there are "
            f"{len(self.trials)} trials{waiting}; revisit=True allows repetitions"
        )

    def enqueue(self, point: Mapping[str, Any]) -> None:
        """Queue a point, to be asked for next; one that the trials hold already is not queued again.

        Parameters
        ----------
        point : mapping
            Label to raw value, or for a choice to the option; labels left out are drawn.

        Raises
        ------
        InvalidPoint
            Says everything that is wrong with it.
        """
        queue_points(self.trials, self.space, [point], self._base)
        self.trials.refresh()

    # -- telling -------------------------------------------------------------------------------------------

    def tell(self, ask: Any, outcome: Any) -> None:
        """Tell how a trial ended.

        Parameters
        ----------
        ask : Ask or hashable
            What `ask` gave, or its tid.
        outcome : float, dict, Exception or class of one
            A loss (in the direction asked for); a result dict with "status" and "loss", as objectives return; or the
            exception that the evaluation raised: `TrialPruned` for a trial that was ended early.

        Raises
        ------
        KeyError
            There is no such trial.
        ValueError
            It was not asked for, was told already, or belongs to somebody else by now.
        InvalidResult, InvalidResultStatus, InvalidLoss
            The outcome is no result; the trial is still open.
        TypeError
            `ask` cannot be an id.
        """
        tid = ask.tid if isinstance(ask, Ask) else ask
        if not isinstance(tid, Hashable):
            raise TypeError(f"tell({tid!r}, ...): pass what ask() gave, or its tid, and one outcome")
        trial = self.trials.by_tid(tid)
        self._check_open(trial)
        ours = self._open.get(tid)
        ctrl = self._ctrl(trial) if ours is None else ours.ctrl
        kept = self._conclude(trial, outcome, ctrl)
        self._forget(tid)
        if not kept:
            raise ValueError(f"trial {tid} belongs to somebody else by now: what was told is dropped")
        turn.look(self.trials)

    def _check_open(self, trial: dict[str, Any]) -> None:
        tid, state = trial["tid"], trial["state"]
        if state == JOB_STATE_NEW:
            raise ValueError(f"trial {tid} is in the queue, nobody has asked for it: call ask() first")
        if state != JOB_STATE_RUNNING:
            raise ValueError(f"trial {tid} was told already: it is {JOB_STATE_NAMES[state]}")

    def _conclude(self, trial: dict[str, Any], outcome: Any, ctrl: Ctrl) -> bool:
        """Store an outcome; return whether the trial was still ours."""
        if isinstance(outcome, type) and issubclass(outcome, Exception):
            outcome = outcome()  # as `raise` does
        if isinstance(outcome, TrialPruned):
            return turn.prune(self.trials, trial, outcome.reason)
        if isinstance(outcome, Exception):
            where = "".join(traceback.format_exception(type(outcome), outcome, outcome.__traceback__))
            return turn.fail(self.trials, trial, str(type(outcome)), turn.text_of(outcome), where)
        result = self._domain.evaluate_async2(outcome, ctrl)
        return turn.finish(self.trials, trial, stored(result, direction_of(self.trials), trial["tid"]))

    def _forget(self, tid: Any) -> None:
        ask = self._open.pop(tid, None)
        if ask is not None:
            turn.let_go(self.trials, ask.trial)
        if not self._open:
            self._leases.close()

    # -- reading and leaving -------------------------------------------------------------------------------

    @property
    def best(self) -> Best:
        """The best point so far, as `fmin` returns it; AllTrialsFailed if there is none."""
        return best_of(self.trials, self._domain)

    def close(self) -> None:
        """Put what is open back: it is asked for again by the next search on these trials."""
        n = len(self._open)
        for ask in list(self._open.values()):
            turn.set_aside(self.trials, ask.trial, again=True)
            self._forget(ask.tid)
        if n:
            logger.info("%d open trials go back into the queue", n, extra={"action": "requeued", "n": n})
        self._leases.close()
        self.trials.refresh()

    def __enter__(self) -> Search:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Search({self.trials!r}, {len(self._open)} open)"


def _nobody_calls(config: Any) -> float:
    raise RuntimeError(
        "the objective of a Search is the user's business: ask() and tell() instead of calling"
    )
