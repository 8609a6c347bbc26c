"""`Trials`: what users make, pass to `fmin`, pickle and read.

It adds three things to `StoredTrials`: the space that was searched, so that values can be shown as the
objective saw them; files and pickles; and `fmin` as a method. The method only passes the call to the
function that the run layer registers, so that this layer does not know how a search is run.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from hpspace.exceptions import DirectionMismatch
from hpspace.space.compiled import CompiledSpace
from hpspace.trials import save
from hpspace.trials.direction import checked_direction, has_outcome
from hpspace.trials.miscs import renumbered
from hpspace.trials.spacememo import SpaceMemo
from hpspace.trials.store import StoredTrials

if TYPE_CHECKING:
    from hpspace.trials.shared.trials import SharedTrials

T = TypeVar("T", bound="Trials")


class Trials(StoredTrials):
    """The trials of a search, in memory.

    Parameters
    ----------
    exp_key : str, optional
        Name of the experiment. Only documents with the same `exp_key` may be inserted; without one (None) the
        documents of all experiments in the store are shown.
    refresh : bool
        Whether to refresh at once. Before the first refresh nothing can be read.

    Examples
    --------
    >>> from hpspace.trials.document import new_document
    >>> trials = Trials()
    >>> trials.insert_trial_doc(new_document(0, {"x": 0.5}))
    0
    >>> len(trials)
    0
    >>> trials.refresh()
    >>> len(trials), trials.vals
    (1, {'x': [0.5]})
    """

    __module__ = "hpspace.base"  # the address in pickles; this file may move

    #: Whether trials are evaluated elsewhere, so that `fmin` has to wait for them.
    asynchronous: bool = False
    #: The function behind `Trials.fmin`; the run layer sets it when it is imported.
    _fmin_hook: ClassVar[Callable[..., Any] | None] = None

    _memo: SpaceMemo
    _journal_mark: Any

    @classmethod
    def _birth_state(cls) -> dict[str, Any]:
        return {**super()._birth_state(), "_memo": SpaceMemo()}

    @classmethod
    def _caches(cls) -> dict[str, Any]:
        return {**super()._caches(), "_journal_mark": None}

    # -- the space -----------------------------------------------------------------------------------------

    def remember_space(self, space: CompiledSpace) -> None:
        """Keep the space with the trials, for `best_config`, tables, plots and later runs.

        Parameters
        ----------
        space : CompiledSpace
            Replaces the one remembered before.
        """
        if self._memo.space is not space:
            self._memo = self._memo.with_space(space)

    @property
    def space(self) -> CompiledSpace | None:
        """The space last searched with these trials; None when it is not known."""
        return self._memo.space

    @property
    def space_json(self) -> dict[str, Any] | None:
        """The description of that space (`CompiledSpace.to_json`), there even if the space itself is lost."""
        return self._memo.json

    @property
    def direction(self) -> str:
        """What the search asks for, "minimize" or "maximize"; the documents hold what is minimised in either case.

        Raises
        ------
        ValueError
            When set: to neither of the two words.
        DirectionMismatch
            When set: there are trials made in the other direction.
        """
        return self._memo.direction

    @direction.setter
    def direction(self, direction: str) -> None:
        if direction == self._memo.direction:
            return
        asked, held = checked_direction(direction), [doc for doc in self._dynamic_trials if has_outcome(doc)]
        if held:
            raise DirectionMismatch(
                f"these {len(held)} trials were made with direction={self._memo.direction!r} and "
                f"cannot go on with direction={direction!r}; pass direction={self._memo.direction!r}, or new trials"
            )
        self._memo = self._memo.with_direction(asked)

    # -- keeping -------------------------------------------------------------------------------------------

    def save(self, path: str | Path) -> None:
        """Write the trials to a file, all at once or not at all; see `hpspace.trials.save`.

        Parameters
        ----------
        path : str or Path
            The file; replaced if it exists.
        """
        save.write(path, self)

    @classmethod
    def load(cls, path: str | Path) -> Trials:
        """Read trials from a file that `save`, `fmin(trials_save_file=...)` or `pickle` wrote.

        Parameters
        ----------
        path : str or Path
            The file.

        Returns
        -------
        Trials
            Of the class that was saved.
        """
        return save.load(path)

    @staticmethod
    def open(url: str, exp_key: str | None = None, **options: Any) -> SharedTrials:
        """Open trials that are kept in a store: a SQLite file, or a MongoDB.

        Parameters
        ----------
        url : str
            ``sqlite:///study.db#experiment``, ``mongodb://host:port/database#experiment``, ``memory:``; see
            `hpspace.trials.shared.url`.
        exp_key : str, optional
            The experiment; by default the one at the end of the URL.
        **options
            Those of `hpspace.SqliteTrials` or `hpspace.mongoexp.MongoTrials`.

        Returns
        -------
        SharedTrials
            What was there already is read; a search with them goes on where the last one ended.

        Raises
        ------
        UnknownStore
            (A ValueError.) The URL is of no kind that is known.
        StoreError
            The store cannot be opened.
        """
        from hpspace.trials.shared.url import open_trials

        return open_trials(url, exp_key, **options)

    def copy_to(self, target: Any) -> Any:
        """Copy these trials, with their attachments, into others; see `hpspace.trials.exchange.copy_trials`.

        Parameters
        ----------
        target : Trials or str
            Where to, or the URL of it. What is there stays.

        Returns
        -------
        Trials
            The target, refreshed.
        """
        from hpspace.trials.exchange import copy_trials

        return copy_trials(self, target)

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled: everything but caches, the space as bytes of its own."""
        left_out = {*self._caches(), "_memo"}
        state = {key: value for key, value in self.__dict__.items() if key not in left_out}
        return {**state, "_space": self._memo.dump()}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore from `__getstate__`, also from a state that lacks what later releases added."""
        kept = {key: value for key, value in state.items() if key != "_space"}
        self.__dict__.update({**self._birth_state(), **kept})
        self._memo = SpaceMemo(None, *state.get("_space", (None, None)))

    def __deepcopy__(self: T, memo: dict[int, Any]) -> T:
        other = type(self).__new__(type(self))
        memo[id(self)] = other
        other.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        other._memo = self._memo  # spaces are frozen: shared, also when they cannot be pickled
        return other

    # -- the way up ----------------------------------------------------------------------------------------

    def fmin(
        self,
        fn: Callable[..., Any],
        space: Any,
        algo: Any = None,
        max_evals: int | None = None,
        timeout: float | None = None,
        loss_threshold: float | None = None,
        max_queue_len: int = 1,
        rstate: Any = None,
        verbose: bool = False,
        pass_expr_memo_ctrl: bool | None = None,
        catch_eval_exceptions: bool = False,
        return_argmin: bool = True,
        show_progressbar: Any = True,
        early_stop_fn: Callable[..., Any] | None = None,
        trials_save_file: str = "",
        **kwargs: Any,
    ) -> Any:
        """Minimise a function over a space and keep the trials here.

        Parameters
        ----------
        fn, space, algo, max_evals, timeout, loss_threshold, max_queue_len, rstate, verbose, \
pass_expr_memo_ctrl, catch_eval_exceptions, return_argmin, show_progressbar, early_stop_fn, trials_save_file
            As in `hpspace.fmin`. Only `verbose` has another default: False.
        **kwargs
            Further arguments of `hpspace.fmin`.

        Returns
        -------
        object
            What `hpspace.fmin` returns.
        """
        hook = Trials._fmin_hook
        if hook is None:
            raise RuntimeError("nothing can run a search yet: import hpspace first")
        return hook(
            fn,
            space,
            algo=algo,
            max_evals=max_evals,
            timeout=timeout,
            loss_threshold=loss_threshold,
            trials=self,
            rstate=rstate,
            allow_trials_fmin=False,  # else it would hand the call back to us
            pass_expr_memo_ctrl=pass_expr_memo_ctrl,
            catch_eval_exceptions=catch_eval_exceptions,
            verbose=verbose,
            return_argmin=return_argmin,
            max_queue_len=max_queue_len,
            show_progressbar=show_progressbar,
            early_stop_fn=early_stop_fn,
            trials_save_file=trials_save_file,
            **kwargs,
        )


def trials_from_docs(docs: Iterable[dict[str, Any]], validate: bool = True, **kwargs: Any) -> Trials:
    """Make trials that hold given documents.

    Parameters
    ----------
    docs : iterable of dict
        Trial documents; the very objects are stored. Where an id occurs again, as when the documents of two runs
        are joined, a renumbered copy is stored instead, and that is logged.
    validate : bool
        Whether to check them first.
    **kwargs
        Arguments of `Trials`.

    Returns
    -------
    Trials
        Refreshed.

    Raises
    ------
    InvalidTrial
        A document is invalid.
    """
    trials = Trials(**kwargs)
    distinct = renumbered(docs)
    if validate:
        trials.insert_trial_docs(distinct)
    else:
        trials._insert_trial_docs(distinct)
    trials.refresh()
    return trials
