"""`fmin`: one call from a space and an objective to the best configuration found.

It reads the arguments, prepares the trials (a save file, points to start with, a word if the space has changed), lets
`run.loop` do the work, and makes the answer. The order is: everything that can be wrong with the arguments and the
space is said before the first evaluation.
"""

from __future__ import annotations

import logging
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hpspace.prune import pruner_from
from hpspace.run.arguments import exceptions_from, seed_from, validate_objects, validate_place
from hpspace.run.best import best_of, config_of_best
from hpspace.run.bridge import as_suggest
from hpspace.run.callbacks import checked_callbacks
from hpspace.run.direction import direct
from hpspace.run.domain import Domain
from hpspace.run.executors.base import executor_from
from hpspace.run.loop import FMinIter
from hpspace.run.objective import KeywordObjective, annotated_space
from hpspace.run.points import queue_points
from hpspace.run.prepare import prepare, resource_of
from hpspace.run.seeds import base_from
from hpspace.run.stopping import (
    evaluation_limit,
    new_evaluations,
    validate_loss_threshold,
    validate_timeout,
)
from hpspace.run.turn import requeue_interrupted
from hpspace.trials.direction import checked_direction
from hpspace.trials.trials import Trials

logger = logging.getLogger(__name__)


def fmin(
    fn: Callable[..., Any],
    space: Any,
    algo: Any = None,
    max_evals: int | None = None,
    timeout: float | None = None,
    loss_threshold: float | None = None,
    trials: Any = None,
    rstate: Any = None,
    allow_trials_fmin: bool = True,
    pass_expr_memo_ctrl: bool | None = None,
    catch_eval_exceptions: bool = False,
    verbose: bool = True,
    return_argmin: bool = True,
    points_to_evaluate: Any = None,
    max_queue_len: int = 1,
    show_progressbar: Any = True,
    early_stop_fn: Callable[..., Any] | None = None,
    trials_save_file: str = "",
    *,
    revisit: bool = False,
    direction: str = "minimize",
    max_new_evals: int | None = None,
    catch: Any = (),
    callbacks: Any = None,
    n_jobs: int = 1,
    backend: str = "process",
    executor: Any = None,
    trial_timeout: float | None = None,
    pruner: Any = None,
    seed: Any = None,
) -> Any:
    """Minimise (or maximise) a function over a search space.

    Parameters
    ----------
    fn : callable
        The objective. It is called with the configuration, ``fn(config)``; as ``fn(config, ctrl)`` if its second
        parameter is called ``ctrl``; with keyword arguments if `space` is "annotated". It returns a loss, or a
        dict with "status" ("ok" or "fail"), "loss" and anything else worth keeping.
    space : object
        Any nesting of dicts, lists, tuples, ``hp.*`` expressions and constants; or "annotated": the annotations
        of `fn`'s parameters are the space.
    algo : callable, str, Algorithm or None
        ``tpe.suggest`` or any function ``suggest(new_ids, domain, trials, seed)``; the name of a registered
        algorithm, such as "tpe", "rand", "anneal"; an object with a method `propose`. None is "tpe".
    max_evals : int or None
        How many trials there are to be in the end, those already in `trials` included; None is no limit.
        Points of `points_to_evaluate` come on top. Failed trials count, trials that raised do not once the call
        has ended.
    timeout : float or None
        Seconds after which no evaluation is begun. One that runs in this process is never interrupted; those of
        child processes are stopped then and marked as cancelled, those of threads and workers are not waited for.
    loss_threshold : float or None
        Stop when the best loss is below; with ``direction="maximize"``, when the best value is above. Only trials
        with status "ok" count.
    trials : Trials or None
        Where the trials are kept, and those known already. None makes new ones, or loads `trials_save_file`.
    rstate : int, Generator, RandomState, SeedSequence or None
        The seed. A run resumed with the same seed goes on with new draws. None reads the environment variable
        HYPEROPT_FMIN_SEED, and without it is unpredictable.
    allow_trials_fmin : bool
        Hand the call over to ``trials.fmin`` if its class has its own.
    pass_expr_memo_ctrl : bool or None
        Call ``fn(expr=..., memo=..., ctrl=...)``; None reads the mark of `fmin_pass_expr_memo_ctrl`.
    catch_eval_exceptions : bool
        An exception of the objective ends only its trial, not the run. Either way the trial is kept in state
        ERROR with type, message and traceback, and counts as bad news for the algorithm.
    verbose : bool
        False silences the default progress display (not one given as a callable).
    return_argmin : bool
        True returns a `Best`; False only the configuration.
    points_to_evaluate : list of dict or None
        Points to evaluate first: label to raw value, or for a choice to the option; labels left out are drawn
        from their distributions. All are validated before the first evaluation. Points that `trials` holds
        already are not evaluated again.
    max_queue_len : int
        How many trials to ask the algorithm for at once. With several jobs, also how many are proposed ahead.
    show_progressbar : bool or callable
        A callable ``f(initial, total)`` returns a context manager; what that yields has ``update(n)`` and a
        settable ``postfix``.
    early_stop_fn : callable or None
        ``early_stop_fn(trials, *args)`` returns ``(stop, args)``, or only whether to stop; called once a turn, first
        without args. Rules of `hpspace.stop` too.
    trials_save_file : str
        File to which trials are appended as they end. If it exists and `trials` is None, the run in it is
        continued.
    revisit : bool
        Whether a finite space's configuration may be evaluated more than once (a noisy objective). If not, the
        run ends when all were evaluated.
    direction : {"minimize", "maximize"}
        What to look for. The trials remember it; their documents hold what is minimised, and everything that people
        look at is in the direction asked for.
    max_new_evals : int or None
        How many trials to add to those in `trials`, at most. With `max_evals` too, whichever is reached first.
    catch : exception class or tuple of such
        Exceptions of the objective that end only its trial, as all do with `catch_eval_exceptions`.
    callbacks : callable, object or list of such
        Functions ``f(trials, trial)`` called after each trial, or objects with hooks; see `Callback`. Returning True
        ends the run.
    n_jobs : int
        How many trials to evaluate at a time, in child processes; -1 is one for each CPU. With 1 a run with a seed is
        the same bit by bit; with more, which results are known when a trial is proposed depends on chance.
    backend : {"process", "thread"}
        What `n_jobs` makes. Objectives travel to processes by value, lambdas and closures too.
    executor : object or None
        Who evaluates instead: a `concurrent.futures.Executor`, a dask `Client`, or an `Executor` of hpspace.
    trial_timeout : float or None
        Seconds for one trial. One that takes longer is stopped and counts as an error ("TrialTimeout"); with
        ``n_jobs=1`` the objective is evaluated in one child process for that. Not with threads, which cannot be
        stopped.
    pruner : str, Pruner, callable or None
        Decides which trials that report intermediate values are ended early; see `hpspace.prune`.
    seed : object
        Another name for `rstate`.

    Returns
    -------
    Best
        A dict equal to the argmin (label to raw value, a choice's index), with `.config` (what the objective
        saw), `.loss` (also `.value`) and `.trials`. With ``return_argmin=False`` only the configuration, or None
        if there are no trials at all.

    Raises
    ------
    BadSearchSpace
        Everything that is wrong with the space, at once, before anything is evaluated.
    InvalidPoint
        Everything that is wrong with `points_to_evaluate`.
    AllTrialsFailed
        No trial has status "ok" and a loss that is a number.
    CallbackError
        A callback has raised an exception.
    DirectionMismatch
        `trials` are of a search in the other direction.
    UnpicklableObjective
        The objective cannot be sent to child processes; names what in it cannot.
    TypeError, ValueError, Exception
        For arguments out of range. Exceptions of the objective propagate unchanged.

    Warns
    -----
    SpaceChanged
        If `trials` were made with another space; they are used as far as they fit.

    Examples
    --------
    >>> from hpspace import fmin, hp
    >>> space = {"x": hp.uniform("x", -5, 5), "kind": hp.choice("kind", ["a", "b"])}
    >>> best = fmin(lambda c: c["x"] ** 2 + (c["kind"] == "a"), space, "tpe", 60, rstate=0, verbose=False)
    >>> best["kind"], best.config["kind"], best.loss < 1
    (1, 'b', True)
    """
    validate_objects(fn, space, trials, early_stop_fn)
    limit, new = evaluation_limit(max_evals), new_evaluations(max_new_evals)
    validate_timeout(timeout)
    validate_loss_threshold(loss_threshold)
    checked_direction(direction)
    caught, called = exceptions_from(catch), checked_callbacks(callbacks)
    place = {"n_jobs": n_jobs, "backend": backend, "executor": executor, "trial_timeout": trial_timeout}
    elsewhere = executor_from(**place)
    validate_place(trials, _told(place))
    suggest = as_suggest(algo)
    rstate = seed_from(rstate, seed)
    base = base_from(rstate)
    if isinstance(space, str) and space == "annotated":
        fn, space = KeywordObjective(fn), annotated_space(fn)
    domain = Domain(fn, space, pass_expr_memo_ctrl=pass_expr_memo_ctrl)
    domain.revisit = revisit
    domain.pruner = pruner_from(pruner, resource_of(domain.space))
    if trials is None:
        trials = _new_or_loaded(trials_save_file)
    handed_over = allow_trials_fmin and _has_own_fmin(trials)
    if not handed_over:
        direct(trials, direction)
    if not getattr(trials, "asynchronous", False) and hasattr(trials, "_dynamic_trials"):
        requeue_interrupted(trials)
    if points_to_evaluate is not None:
        queue_points(trials, domain.space, points_to_evaluate, base)
    if handed_over:
        ours = {"revisit": revisit, "direction": direction, "max_new_evals": max_new_evals, "catch": catch}
        return trials.fmin(
            fn,
            domain.expr,
            algo=suggest,
            max_evals=max_evals,
            timeout=timeout,
            loss_threshold=loss_threshold,
            max_queue_len=max_queue_len,
            rstate=rstate,
            verbose=verbose,
            pass_expr_memo_ctrl=pass_expr_memo_ctrl,
            catch_eval_exceptions=catch_eval_exceptions,
            return_argmin=return_argmin,
            show_progressbar=show_progressbar,
            early_stop_fn=early_stop_fn,
            trials_save_file=trials_save_file,
            **_told({**ours, "callbacks": callbacks, "pruner": pruner, **place}),
        )
    nothing = 0 in (limit, new)
    prepare(trials, domain, base, nothing)
    _say_what_limits(trials, domain, limit, [new, timeout, loss_threshold, early_stop_fn, callbacks])
    iteration = FMinIter(
        suggest,
        domain,
        trials,
        rstate=base,
        max_queue_len=max_queue_len,
        max_evals=limit,
        timeout=timeout,
        loss_threshold=loss_threshold,
        verbose=verbose,
        show_progressbar=show_progressbar,
        early_stop_fn=early_stop_fn,
        trials_save_file=trials_save_file,
        max_new_evals=new,
        catch=caught,
        callbacks=called,
        executor=elsewhere,
        trial_timeout=trial_timeout,
    )
    iteration.catch_eval_exceptions = catch_eval_exceptions
    try:
        iteration.exhaust()
    finally:
        iteration.close()
    return best_of(trials, domain) if return_argmin else config_of_best(trials, domain)


fmin.__module__ = "hpspace"  # where users find it; `hpspace.fmin` is this function, not its module

Trials._fmin_hook = fmin


# -------------------------------------------------------------------- before the run


def _new_or_loaded(path: str) -> Trials:
    """Return the trials of a save file if there is one, else new ones."""
    # An empty file is one that somebody reserved, as `tempfile` does.
    return Trials.load(path) if path and Path(path).exists() and Path(path).stat().st_size else Trials()


def _told(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return those of fmin's own arguments that differ from their defaults: a class written for Hyperopt knows none."""
    defaults = fmin.__kwdefaults__ or {}
    return {name: value for name, value in arguments.items() if not _is(value, defaults[name])}


def _is(value: Any, default: Any) -> bool:
    return value is default or (type(value) is type(default) and bool(value == default))


def _has_own_fmin(trials: Any) -> bool:
    """Whether the trials' class runs a search in its own way."""
    own = getattr(type(trials), "fmin", None)
    return own is not None and own is not Trials.fmin


def _say_what_limits(trials: Any, domain: Domain, limit: int, others: list[Any]) -> None:
    """Log the two surprises: a run that has nothing to do, and one that nothing ends."""
    present = len(trials)
    if present >= limit and limit > 0:
        logger.info(
            "nothing to do: max_evals=%d is the total and there are %d trials", limit, present,
            extra={"action": "nothing_to_do", "max_evals": limit, "trials": present},
        )  # fmt: skip
    endless = domain.revisit or domain.space.cardinality() == math.inf
    if limit == sys.maxsize and endless and all(other is None for other in others):
        logger.warning(
            "max_evals, max_new_evals, timeout, loss_threshold, early_stop_fn and callbacks are all None: nothing "
            "ends this run",
            extra={"action": "no_limit"},
        )
