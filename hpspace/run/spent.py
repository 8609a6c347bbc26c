"""A rule that ends a run when it has spent what it may: the resource of all trials together.

Where trials are given different amounts of a declared resource their number says little about what they cost.
Users make the rule by `hpspace.stop.total_resource`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hpspace.exceptions import Fault, InvalidFidelity
from hpspace.run.rules import Rule, ended
from hpspace.run.stopping import is_number
from hpspace.trials.fidelity import fidelity_of, resource_of


@dataclass(frozen=True)
class TotalResource(Rule):
    """See `total_resource`."""

    budget: float
    resuming: bool

    def reason(self, trials: Any) -> str | None:
        """Say that the budget is spent."""
        total = spent(ended(trials), _whole(trials), self.resuming)
        return f"{total:g} of the resource is spent, of {self.budget:g}" if total >= self.budget else None

    def __repr__(self) -> str:
        return f"total_resource({self.budget:g}, resuming={self.resuming})"


def total_resource(budget: float, resuming: bool = False) -> Rule:
    """Stop when the trials have been given so much of the declared resource, all together.

    Parameters
    ----------
    budget : float
        In units of the resource, such as epochs; above 0. Trials that failed or were pruned count too.
    resuming : bool
        Whether the objective goes on from the checkpoint of the trial that it continues: then a promotion costs what
        it adds, else all that it is given.

    Returns
    -------
    Rule
        Trials under way when it says stop come on top. It raises `InvalidFidelity` if the space declares no resource.

    Examples
    --------
    >>> from hpspace import fmin, hp, stop
    >>> space = {"x": hp.uniform("x", 0, 1), "epochs": hp.fidelity("epochs", 1, 9)}
    >>> def loss(config):
    ...     return config["x"] + 1 / config["epochs"]
    >>> best = fmin(loss, space, "asha", rstate=1, verbose=False, callbacks=stop.total_resource(60))
    >>> sum(doc["misc"]["fidelity"]["resource"] for doc in best.trials)
    60
    """
    if not (is_number(budget) and budget > 0):
        raise ValueError(f"total_resource({budget!r}): pass a number above 0, in units of the resource")
    return TotalResource(float(budget), resuming)


def spent(docs: Sequence[Mapping[str, Any]], whole: float, resuming: bool) -> float:
    """Return what trials were given of a resource, all together.

    Parameters
    ----------
    docs : sequence of mapping
        Their documents.
    whole : float
        What a trial had whose document does not say.
    resuming : bool
        Whether a promotion adds to what its parent had.
    """
    given = {doc["tid"]: float(resource_of(doc) or whole) for doc in docs}
    total = sum(given.values())
    if resuming:
        total -= sum(given.get(fidelity_of(doc).get("parent"), 0.0) for doc in docs)
    return total


def _whole(trials: Any) -> float:
    space = getattr(trials, "space", None)
    if space is None or space.fidelity is None:
        fix = 'declare one, such as {"epochs": hp.fidelity("epochs", 1, 81)}'
        raise InvalidFidelity(
            Fault(InvalidFidelity, "total_resource: the space declares no resource", fix=fix)
        )
    return float(space.fidelity.high)
