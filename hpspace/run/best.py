"""What `fmin` returns: Hyperopt's argmin dict, which also knows the configuration, its loss and the trials."""

from __future__ import annotations

import pickle
from typing import Any

from hpspace.exceptions import AllTrialsFailed, InvalidPoint
from hpspace.run.ctrl import Ctrl
from hpspace.run.direction import direction_of
from hpspace.run.domain import Domain
from hpspace.trials.bests import why_no_best
from hpspace.trials.direction import measure, shown

#: Hyperopt's words when there is no best trial; programs look for them.
NO_TASKS = "There are no evaluation tasks, cannot return argmin of task losses."


class Best(dict[str, Any]):
    """The best point of a run.

    As a dict it is the argmin: label to raw value (for a choice the option's index), active labels only, as in
    Hyperopt. Use `config` for anything else than feeding it back.

    Parameters
    ----------
    argmin : mapping
        Label to raw value.
    config : object
        The configuration as the objective saw it.
    loss : float
        Its loss, in the direction asked for: what the objective returned.
    trials : Trials or None
        The trials of the run.

    Notes
    -----
    A pickle holds argmin, loss and config, not the trials (save those by themselves), and no config that cannot
    be pickled: `config` is None after loading then.

    Examples
    --------
    >>> best = Best({"net": 1}, config={"net": "mlp"}, loss=0.25)
    >>> best == {"net": 1}, best.config
    (True, {'net': 'mlp'})
    >>> best
    Best({'net': 1}, config={'net': 'mlp'}, loss=0.25)
    """

    def __init__(
        self, argmin: Any = (), *, config: Any = None, loss: float | None = None, trials: Any = None
    ) -> None:
        super().__init__(argmin)
        self.config = config
        self.loss = loss
        self.trials = trials

    @property
    def value(self) -> float | None:
        """Another name for `loss`, for searches that maximise."""
        return self.loss

    def __repr__(self) -> str:
        name = measure(direction_of(self.trials))
        return f"{type(self).__name__}({super().__repr__()}, config={self.config!r}, {name}={self.loss!r})"

    def __copy__(self) -> Best:
        return Best(self, config=self.config, loss=self.loss, trials=self.trials)

    def __reduce__(self) -> tuple[Any, ...]:
        config = self.config if _can_be_pickled(self.config) else None
        return Best, (dict(self),), {"config": config, "loss": self.loss, "trials": None}


Best.__module__ = "hpspace.fmin"  # the public address, under which it is pickled


def best_of(trials: Any, domain: Domain) -> Best:
    """Return the best point of finished trials.

    Parameters
    ----------
    trials : Trials
        Where to look.
    domain : Domain
        Turns the point into a configuration.

    Returns
    -------
    Best
        Its `config` is None if the best trial is of another space, and its point is none of this one.

    Raises
    ------
    AllTrialsFailed
        If there is no best trial; says how many there are of each kind and how the last one failed.
    """
    try:
        argmin, best = trials.argmin, trials.best_trial
    except AllTrialsFailed:
        raise AllTrialsFailed(f"{NO_TASKS} {why_no_best(trials._dynamic_trials)}") from None
    try:
        config = _config_at(argmin, trials, best, domain)
    except (InvalidPoint, LookupError, TypeError, ValueError):  # what a point of another space may lead to
        config = None
    loss = shown(best["result"]["loss"], direction_of(trials))
    return Best(argmin, config=config, loss=loss, trials=trials)


def config_of_best(trials: Any, domain: Domain) -> Any:
    """Return the best configuration; None when there are no trials.

    Parameters
    ----------
    trials, domain
        As for `best_of`.

    Raises
    ------
    AllTrialsFailed
        There are trials, and none is good.
    """
    if len(trials) == 0:
        return None
    best = best_of(trials, domain)
    return _config_at(best, trials, trials.best_trial, domain)


def _config_at(argmin: Any, trials: Any, trial: Any, domain: Domain) -> Any:
    return domain.evaluate_async(argmin, Ctrl(trials, current_trial=trial))[1]


def _can_be_pickled(config: Any) -> bool:
    try:
        pickle.dumps(config)
    except Exception:  # noqa: BLE001 - whatever an object's own __reduce__ raises, it is not picklable
        return False
    return True
