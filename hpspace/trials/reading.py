"""The reading side of `Trials`: lists, losses, the best trial, counts, indexing.

Nothing here changes a document or knows where documents live; it reads the visible list (`trials`, made by
`refresh`) and, where failures matter, the documents in every state. All readings are total: they answer on an
empty store, and on trials whose results are missing or broken. The one exception is the best trial of trials
that all failed, which raises `AllTrialsFailed` and says what happened to them.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from hpspace.exceptions import AllTrialsFailed
from hpspace.trials import bests, frame, show
from hpspace.trials.direction import MINIMIZE, shown
from hpspace.trials.document import JOB_STATES, STATUS_OK, miscs_to_idxs_vals, spec_from_misc
from hpspace.trials.fidelity import at_its_resource

if TYPE_CHECKING:
    import pandas as pd

    from hpspace.space.compiled import CompiledSpace


class ReadTrials:
    """What can be read from trials; `hpspace.Trials` adds where they are kept."""

    _trials: list[dict[str, Any]]
    _exp_key: str | None

    @property
    def space(self) -> CompiledSpace | None:
        """The space the trials were made with, when it is known."""
        return None

    @property
    def direction(self) -> str:
        """What the search looks for: "minimize" or "maximize"; documents hold what is minimised either way."""
        return MINIMIZE

    def documents(self) -> list[dict[str, Any]]:
        """Return the documents in every state, failed and cancelled ones too, as of now."""
        return self.trials

    # -- lists, one entry a visible trial ------------------------------------------------------------------

    @property
    def trials(self) -> list[dict[str, Any]]:
        """Documents in state NEW, RUNNING or DONE, in order of insertion, as of the last `refresh`."""
        try:
            return self._trials
        except AttributeError:
            raise AttributeError("these trials were never refreshed: call refresh() first") from None

    @property
    def tids(self) -> list[Any]:
        """Ids of the trials."""
        return [doc["tid"] for doc in self.trials]

    @property
    def specs(self) -> list[Any]:
        """The ``spec`` of each trial: None in documents made here."""
        return [doc["spec"] for doc in self.trials]

    @property
    def results(self) -> list[dict[str, Any]]:
        """The result of each trial."""
        return [doc["result"] for doc in self.trials]

    @property
    def miscs(self) -> list[dict[str, Any]]:
        """The ``misc`` of each trial, with its values."""
        return [doc["misc"] for doc in self.trials]

    def losses(self, bandit: Any = None) -> list[Any]:
        """Return the loss of each trial, None where it has none.

        Parameters
        ----------
        bandit : Domain, optional
            Reads the loss from result and spec instead.

        Returns
        -------
        list of float or None
        """
        if bandit is None:
            return [result.get("loss") for result in self.results]
        return list(map(bandit.loss, self.results, self.specs))

    def statuses(self, bandit: Any = None) -> list[Any]:
        """Return the status of each trial's result, None where it has none.

        Parameters
        ----------
        bandit : Domain, optional
            Reads the status from result and spec instead.

        Returns
        -------
        list of str or None
        """
        if bandit is None:
            return [result.get("status") for result in self.results]
        return list(map(bandit.status, self.results, self.specs))

    # -- values by label -----------------------------------------------------------------------------------

    @property
    def idxs_vals(self) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
        """`idxs` and `vals` together."""
        return miscs_to_idxs_vals(self.miscs)

    @property
    def idxs(self) -> dict[str, list[Any]]:
        """For each label, the ids of the trials in which it was active."""
        return self.idxs_vals[0]

    @property
    def vals(self) -> dict[str, list[Any]]:
        """For each label, its values in the trials in which it was active; indices for choices."""
        return self.idxs_vals[1]

    # -- one trial -----------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.trials)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.trials)

    @overload
    def __getitem__(self, position: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, position: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, position: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(position, slice):
            return self.trials[position]
        try:
            return self.trials[operator.index(position)]
        except TypeError:
            raise TypeError(
                f"trials[...] takes a position or a slice, not {position!r}; for an id: trials.by_tid(...)"
            ) from None
        except IndexError:
            raise IndexError(f"trials[{position}]: there are {len(self.trials)} trials") from None

    def by_tid(self, tid: Any) -> dict[str, Any]:
        """Return the document with an id, whatever its state.

        Parameters
        ----------
        tid : hashable
            The id, which is a trial's position only as long as no trial failed.

        Returns
        -------
        dict
            The document itself.

        Raises
        ------
        KeyError
            No trial has that id.
        """
        for doc in self.documents():
            if doc["tid"] == tid:
                return doc
        raise KeyError(f"no trial has the tid {tid!r}")

    # -- the best ------------------------------------------------------------------------------------------

    @property
    def best_trial(self) -> dict[str, Any]:
        """The document with status "ok" and the lowest loss, the first of equals.

        Failed trials and losses that are NaN or no number never are. If the space declares a resource, those with the
        most of it compete: the losses of others cannot be compared with theirs.

        Raises
        ------
        AllTrialsFailed
            There is no such trial; the message counts the trials by state and quotes the last error.
        """
        best = bests.best_of(self.trials)
        if best is None:
            raise AllTrialsFailed(bests.why_no_best(self.documents()))
        return best

    @property
    def argmin(self) -> dict[str, Any]:
        """Label to raw value in the best trial: the *index* of a choice's option; see `best_config`."""
        return spec_from_misc(self.best_trial["misc"])

    @property
    def best_value(self) -> float:
        """The best trial's loss in the direction asked for: the largest value when `direction` is "maximize".

        Raises
        ------
        AllTrialsFailed
            There is no best trial.
        """
        return shown(bests.loss_of(self.best_trial["result"]), self.direction)

    @property
    def best_point(self) -> dict[str, Any]:
        """Another name for `argmin`."""
        return self.argmin

    @property
    def best_config(self) -> Any:
        """The best point as the objective saw it: options instead of indices, conversions applied, its resource.

        Raises
        ------
        ValueError
            The space is not known; `fmin` makes it known, and so does `remember_space`.
        AllTrialsFailed
            There is no best trial.
        """
        best = self.best_trial
        if self.space is None:
            raise ValueError(
                "the space of these trials is not known, so their values cannot be resolved; "
                "call trials.remember_space(space), or space_eval(space, trials.argmin)"
            )
        return self.space.config(at_its_resource(spec_from_misc(best["misc"]), best, self.space))

    def average_best_error(self, bandit: Any = None) -> float:
        """Return the true loss to expect of the best trial, allowing for noise in the losses.

        Results may carry ``loss_variance`` and ``true_loss``; without them this is the lowest loss.

        Parameters
        ----------
        bandit : Domain, optional
            Reads losses, variances and true losses from result and spec instead.

        Returns
        -------
        float
            See `hpspace.trials.bests.average_best_error`.

        Raises
        ------
        ValueError
            No trial has status "ok" and a loss that is a number.
        """
        docs = [doc for doc in self.trials if doc["result"].get("status") == STATUS_OK]
        rows = [self._loss_row(doc, bandit) for doc in (bests.comparable(docs) if bandit is None else docs)]
        table = np.array([row for row in rows if row[0] == row[0]], dtype=np.float64).reshape(-1, 3)
        return bests.average_best_error(table[:, 0], table[:, 1], table[:, 2])

    @staticmethod
    def _loss_row(doc: dict[str, Any], bandit: Any) -> tuple[float, float, float]:
        """Return loss, its variance, and the true loss, each NaN or 0 or the loss where absent."""
        result, spec = doc["result"], doc["spec"]
        if bandit is None:
            loss = bests.number(result.get("loss"))
            variance, true_loss = result.get("loss_variance", 0.0), result.get("true_loss", loss)
        else:
            loss = bests.number(bandit.loss(result, spec))
            variance, true_loss = bandit.loss_variance(result, spec), bandit.true_loss(result, spec)
        variance, true_loss = bests.number(variance), bests.number(true_loss)
        return loss, 0.0 if variance != variance else variance, loss if true_loss != true_loss else true_loss

    # -- counts --------------------------------------------------------------------------------------------

    def count_by_state_synced(self, arg: int | Iterable[int], trials: Sequence[Any] | None = None) -> int:
        """Count the visible trials in a state or states.

        Parameters
        ----------
        arg : int or iterable of int
            One of `JOB_STATES`, or several.
        trials : sequence of dict, optional
            The documents to count instead.

        Returns
        -------
        int

        Raises
        ------
        TypeError
            `arg` is neither a state nor states.
        """
        states = checked_states(arg)
        return sum(doc["state"] in states for doc in (self.trials if trials is None else trials))

    def count_by_state_unsynced(self, arg: int | Iterable[int]) -> int:
        """Count the trials in a state or states as of now, failed ones and ones not yet refreshed too.

        Parameters
        ----------
        arg : int or iterable of int
            As in `count_by_state_synced`.

        Returns
        -------
        int
        """
        return self.count_by_state_synced(arg, trials=self.documents())

    # -- tables and text -----------------------------------------------------------------------------------

    def to_columns(self, all_states: bool = False) -> dict[str, list[Any]]:
        """Return the trials as columns; see `hpspace.trials.frame.to_columns`."""
        return frame.to_columns(self.documents() if all_states else self.trials, self.space, self.direction)

    def to_dataframe(self, all_states: bool = False) -> pd.DataFrame:
        """Return the trials as a pandas DataFrame; see `hpspace.trials.frame.to_dataframe`."""
        return frame.to_dataframe(self.documents() if all_states else self.trials, self.space, self.direction)

    def __repr__(self) -> str:
        return show.text(self)

    def _repr_html_(self) -> str:
        return show.html_table(self)


def checked_states(arg: int | Iterable[int]) -> set[int]:
    """Read a state or states; refuse what is neither."""
    try:
        states = {operator.index(arg)} if hasattr(arg, "__index__") else set(arg)  # type: ignore[arg-type]
        unknown = states.difference(JOB_STATES)
    except TypeError:
        raise TypeError(f"expected a state or states of {JOB_STATES}, not {arg!r}") from None
    if unknown:
        raise TypeError(f"expected a state or states of {JOB_STATES}, not {arg!r}")
    return states
