"""What `fmin` returns: Hyperopt's argmin dict, which also knows the configuration, its loss and the trials."""

from __future__ import annotations

import pickle
from typing import Any


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
        Its loss.
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

    def __repr__(self) -> str:
        return f"{type(self).__name__}({super().__repr__()}, config={self.config!r}, loss={self.loss!r})"

    def __copy__(self) -> Best:
        return Best(self, config=self.config, loss=self.loss, trials=self.trials)

    def __reduce__(self) -> tuple[Any, ...]:
        config = self.config if _can_be_pickled(self.config) else None
        return Best, (dict(self),), {"config": config, "loss": self.loss, "trials": None}


Best.__module__ = "hpspace.fmin"  # the public address, under which it is pickled


def _can_be_pickled(config: Any) -> bool:
    try:
        pickle.dumps(config)
    except Exception:  # noqa: BLE001 - whatever an object's own __reduce__ raises, it is not picklable
        return False
    return True
