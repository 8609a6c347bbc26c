"""Where trials are kept in memory: documents, their ids, the visible list, and histories made from them.

`StoredTrials` is a list of documents that others may hold and edit too. What it shows (`trials`) is the
list as of the last `refresh`, the one point at which edits made elsewhere are noticed. It runs nothing,
proposes nothing and writes no file.

Written to be subclassed: the state lives in the attributes Hyperopt gave it (`_dynamic_trials`, `_trials`,
`_ids`, `_exp_key`, `attachments`), all of them exist from birth whatever a subclass's ``__init__`` does,
and every method goes through the overridable ones (`refresh`, `_insert_trial_docs`, `new_trial_ids`,
`documents`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, MutableMapping, Sequence
from typing import Any, TypeVar

from hpspace.exceptions import InvalidTrial
from hpspace.history import History
from hpspace.space.compiled import CompiledSpace
from hpspace.trials.attachments import TrialAttachments, attachment_name
from hpspace.trials.codec import Mirror
from hpspace.trials.document import JOB_VALID_STATES, trial_document, validate
from hpspace.trials.fidelity import ancestors_of
from hpspace.trials.moves import MovingTrials
from hpspace.trials.reading import ReadTrials
from hpspace.trials.settled import Settled
from hpspace.trials.sonify import sonify_in_place
from hpspace.trials.tids import TidIndex

S = TypeVar("S", bound="StoredTrials")

#: `refresh_recent` looks at finished documents too after so many turns, and one more for each so many documents.
FULL_LOOK_TURNS = 100
DOCUMENTS_A_TURN = 8

#: Spaces whose histories are kept up to date: the present one and the one before.
MAX_MIRRORS = 2

#: What a document takes over from the trial it comes from, in `source_trial_docs`.
SOURCE_KEYS = ("state", "exp_key", "owner", "version", "book_time", "refresh_time")


class StoredTrials(MovingTrials, ReadTrials):
    """Trials in memory; `hpspace.Trials` adds files, the space and `fmin`.

    Parameters
    ----------
    exp_key : str, optional
        Name of the experiment.
    refresh : bool
        Whether to refresh at once.
    """

    _dynamic_trials: list[dict[str, Any]]
    _ids: set[Any]
    attachments: MutableMapping[str, Any]
    _mirrors: list[tuple[Mirror, list[dict[str, Any]]]]
    _tid_index: TidIndex
    _settled: Settled
    _turns: int
    _in_hand: set[Any]

    def __new__(cls: type[S], *args: Any, **kwargs: Any) -> S:
        """Make the object with every attribute that the methods rely on."""
        self = super().__new__(cls)
        # Written past __setattr__: a subclass may have a read-only property of the same name.
        self.__dict__.update(self._birth_state())
        return self

    def __init__(self, exp_key: str | None = None, refresh: bool = True) -> None:
        self._exp_key = exp_key
        if refresh:
            self.refresh()

    @classmethod
    def _birth_state(cls) -> dict[str, Any]:
        """Return the attributes that every object has, whatever a subclass's ``__init__`` does."""
        return {"_dynamic_trials": [], "_ids": set(), "attachments": {}, "_exp_key": None, **cls._caches()}

    @classmethod
    def _caches(cls) -> dict[str, Any]:
        """Return fresh attributes that are derived from others, never pickled and never shared by views."""
        return {
            "_mirrors": [],
            "_tid_index": TidIndex(),
            "_settled": Settled(),
            "_turns": 0,  # since the last full refresh
            "_curves": None,  # learning curves, see `curves.book_of`
            "_in_hand": set(),  # ids of the trials that are being evaluated in this process
        }

    # -- what is there -------------------------------------------------------------------------------------

    def documents(self) -> list[dict[str, Any]]:
        """Return this experiment's documents in every state, failed and cancelled ones too, as of now."""
        # A subclass may keep its documents elsewhere and only fill the visible list.
        return self._stored() or list(self.__dict__.get("_trials", ()))

    def _stored(self) -> list[dict[str, Any]]:
        if self._exp_key is None:
            return self._dynamic_trials
        return [doc for doc in self._dynamic_trials if doc["exp_key"] == self._exp_key]

    def refresh(self) -> None:
        """Bring the visible list and the histories up to date with the documents.

        Documents that are failed, cancelled or of another experiment are hidden.
        """
        self._settled, self._turns = Settled(), 0
        self._show(recent=False)

    def refresh_recent(self) -> None:
        """Do what `refresh` does for the documents that are new or were unfinished at the last look.

        What a search calls each turn, at a cost that does not grow with the search. Edits of finished documents
        are noticed too, but later: every now and then (`FULL_LOOK_TURNS`, `DOCUMENTS_A_TURN`) this is a full
        refresh, and so is the last of a search. A class with a `refresh` of its own has that called instead.
        """
        self._turns += 1
        due = self._turns >= FULL_LOOK_TURNS + len(self._dynamic_trials) // DOCUMENTS_A_TURN
        shrunk = len(self._dynamic_trials) < self._n_settled
        if due or shrunk or self._shows_a_part() or self._refreshes_itself():
            self.refresh()
        else:
            self._show(recent=True)

    def unsettled(self) -> list[dict[str, Any]]:
        """Return the documents that may be unfinished: all but the first ones, known to be finished."""
        start = self._n_settled
        if self._refreshes_itself() or start > len(self._dynamic_trials):
            start = 0
        return self._dynamic_trials[start:]

    def states(self) -> Counter[int]:
        """Count the documents by state, at a cost that depends on how many may be unfinished.

        Returns
        -------
        Counter
            State to number of documents, as of now; edits of finished ones count from the next `refresh` on.
        """
        if self._refreshes_itself() or self._shows_a_part() or self._n_settled > len(self._dynamic_trials):
            return Counter(doc["state"] for doc in self.documents())
        return self._settled.states + Counter(doc["state"] for doc in self._dynamic_trials[self._n_settled :])

    @property
    def _n_settled(self) -> int:
        return self._settled.n

    def _refreshes_itself(self) -> bool:
        """Whether a subclass has its own idea of refreshing, and perhaps another store."""
        return type(self).refresh is not StoredTrials.refresh

    def _shows_a_part(self) -> bool:
        """Whether the list holds documents of other experiments too."""
        return self._exp_key is not None

    def _show(self, recent: bool) -> None:
        """Make the visible list and follow it with the histories."""
        self._show_documents(self._settled.follow(self._stored()))
        self._ids.update(self._tid_index.follow(self._dynamic_trials))
        for mirror, _ in self._mirrors:
            self._sync(mirror, recent)

    def _show_documents(self, rest: list[dict[str, Any]]) -> None:
        """Make the visible list of the settled documents and of the valid ones among the rest."""
        self._trials = [*self._settled.visible, *(doc for doc in rest if doc["state"] in JOB_VALID_STATES)]

    def _shown_now(self) -> Any:
        """Return an object that is another one after each refresh."""
        return self.trials

    def view(self: S, exp_key: str | None = None, refresh: bool = True) -> S:
        """Return trials that share this store and show one experiment of it.

        Parameters
        ----------
        exp_key : str or None
            The experiment; None shows all.
        refresh : bool
            Whether to refresh the view at once.

        Returns
        -------
        Trials
            Of the same class. Documents inserted through either are seen by both, after a refresh.
        """
        other: S = object.__new__(type(self))
        other.__dict__.update(self.__dict__)
        other.__dict__.update(self._caches(), _exp_key=exp_key)
        if refresh:
            other.refresh()
        else:
            other.__dict__.pop("_trials", None)
        return other

    def by_tid(self, tid: Any) -> dict[str, Any]:
        """Return the document with an id, found by an index; see `ReadTrials.by_tid`."""
        position = self._tid_index.find(self._dynamic_trials, tid)
        return super().by_tid(tid) if position is None else self._dynamic_trials[position]

    # -- histories for algorithms --------------------------------------------------------------------------

    def history(self, space: CompiledSpace) -> History:
        """Return the trials, as of the last `refresh`, as columns of a space.

        Parameters
        ----------
        space : CompiledSpace
            Whose parameters are the columns. The history of this very object is kept, so asking again costs
            nothing; histories of more than `MAX_MIRRORS` spaces are not kept at once.

        Returns
        -------
        History
            Not to be changed. Failed and cancelled trials count as `hpspace.trials.codec` says.
        """
        return self.mirror(space).history

    def mirror(self, space: CompiledSpace) -> Mirror:
        """Return what keeps the history of a space, and knows the document of each of its rows; see `history`."""
        for mirror, synced in self._mirrors:
            if mirror.space is space:
                if synced is not self._shown_now():  # by a subclass whose refresh does not call ours
                    self._sync(mirror)
                return mirror
        mirror = Mirror(space)
        self._sync(mirror)
        return mirror

    def _sync(self, mirror: Mirror, recent: bool = False) -> History:
        others = [pair for pair in self._mirrors if pair[0] is not mirror]
        self._mirrors = [*others, (mirror, self._shown_now())][-MAX_MIRRORS:]
        return mirror.sync(self.documents(), recent)

    # -- adding trials -------------------------------------------------------------------------------------

    def new_trial_ids(self, n: int) -> list[Any]:
        """Reserve ids.

        Parameters
        ----------
        n : int
            How many.

        Returns
        -------
        list of int
            Ids that no trial has and that were never given out, counting up.
        """
        start = max(len(self._ids), self._tid_index.next_tid(self._dynamic_trials))
        tids: list[Any] = []
        while len(tids) < n:
            if start not in self._ids:
                tids.append(start)
            start += 1
        self._ids.update(tids)
        return tids

    def release_trial_ids(self, tids: Iterable[Any]) -> None:
        """Take back ids of `new_trial_ids` that were not used, so that an interrupted search leaves no gap.

        Parameters
        ----------
        tids : iterable
            The ids; those that a document has by now stay taken.
        """
        self._ids.difference_update(
            [tid for tid in tids if self._tid_index.find(self._dynamic_trials, tid) is None]
        )

    def new_trial_docs(
        self, tids: Sequence[Any], specs: Sequence[Any], results: Sequence[Any], miscs: Sequence[Any]
    ) -> list[dict[str, Any]]:
        """Lay out documents in state NEW; they are not inserted.

        Parameters
        ----------
        tids, specs, results, miscs : sequence
            One entry a document; held by the documents, not copied.

        Returns
        -------
        list of dict

        Raises
        ------
        ValueError
            The sequences differ in length.
        """
        _same_length(tids=tids, specs=specs, results=results, miscs=miscs)
        return [trial_document(*parts, self._exp_key) for parts in zip(tids, specs, results, miscs)]

    def source_trial_docs(
        self,
        tids: Sequence[Any],
        specs: Sequence[Any],
        results: Sequence[Any],
        miscs: Sequence[Any],
        sources: Sequence[dict[str, Any]],
    ) -> list[dict[str, Any]]:
        """Lay out documents that have state, owner, times and experiment of other trials.

        Parameters
        ----------
        tids, specs, results, miscs : sequence
            As in `new_trial_docs`.
        sources : sequence of dict
            The trial that each document comes from; its id is recorded as ``misc["from_tid"]``.

        Returns
        -------
        list of dict

        Raises
        ------
        ValueError
            The sequences differ in length.
        """
        _same_length(tids=tids, sources=sources)
        docs = self.new_trial_docs(tids, specs, results, miscs)
        for doc, source in zip(docs, sources):
            doc.update({key: source[key] for key in SOURCE_KEYS if key in source})
            doc["misc"].setdefault("from_tid", source["tid"])
        return docs

    def assert_valid_trial(self, trial: Any) -> Any:
        """Check that an object is a document of this experiment and return it; InvalidTrial if it is not."""
        return validate(trial, self._exp_key)

    def insert_trial_doc(self, doc: dict[str, Any]) -> Any:
        """Insert one document; see `insert_trial_docs`.

        Parameters
        ----------
        doc : dict
            The document.

        Returns
        -------
        hashable
            Its tid.
        """
        return self.insert_trial_docs([doc])[0]

    def insert_trial_docs(self, docs: Iterable[dict[str, Any]]) -> list[Any]:
        """Insert documents, all or none; they become visible at the next `refresh`.

        The very objects are stored, with numpy values in them replaced by plain ones.

        Parameters
        ----------
        docs : iterable of dict
            Documents, see `hpspace.trials.document`.

        Returns
        -------
        list
            Their tids.

        Raises
        ------
        InvalidTrial
            One is no valid document of this experiment, or its tid is taken.
        """
        checked = [self.assert_valid_trial(sonify_in_place(doc)) for doc in docs]
        new: set[Any] = set()
        for doc in checked:
            tid = doc["tid"]
            if tid in new or self._tid_index.find(self._dynamic_trials, tid) is not None:
                raise InvalidTrial(
                    f"a trial with tid {tid!r} is there already; take ids of new_trial_ids(n)", doc
                )
            new.add(tid)
        return self._insert_trial_docs(checked)

    def _insert_trial_docs(self, docs: Sequence[dict[str, Any]]) -> list[Any]:
        """Insert documents without checking them."""
        self._dynamic_trials.extend(docs)
        tids = [doc["tid"] for doc in docs]
        self._ids.update(tids)
        return tids

    def delete_all(self) -> None:
        """Remove every trial and attachment of the store. Ids already given out are not given again."""
        self._dynamic_trials.clear()
        self.attachments.clear()
        self.refresh()

    # -- attachments ---------------------------------------------------------------------------------------

    def aname(self, trial: dict[str, Any], name: str) -> str:
        """Return the key in `attachments` of a trial's attachment."""
        return attachment_name(trial["tid"], name)

    def trial_attachments(self, trial: dict[str, Any]) -> TrialAttachments:
        """Return the attachments of one trial, a mapping that reads and writes the store.

        Parameters
        ----------
        trial : dict
            The document.

        Returns
        -------
        TrialAttachments
        """
        return TrialAttachments(self.attachments, trial["tid"], ancestors_of(trial))


def _same_length(**columns: Sequence[Any]) -> None:
    if len(set(map(len, columns.values()))) > 1:
        lengths = {name: len(column) for name, column in columns.items()}
        raise ValueError(f"one entry a trial is needed in each: {lengths}")
