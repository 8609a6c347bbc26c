"""Between Hyperopt's ``suggest(new_ids, domain, trials, seed)`` and an algorithm's ``propose``.

The only file that knows both worlds: documents and seeds on one side, columns and generators on the other. The doors
`hpspace.rand`, `hpspace.tpe`, `hpspace.anneal` and `hpspace.mix` are one-line calls of `suggest`; `run.loop` wraps
an algorithm given by name or as an object the same way (`as_suggest`).

Ids never influence a proposal: they are only written into the documents.

In a space with a declared resource an algorithm either plans it (`hpspace.suggest.fidelity`), and then its batch says
what each trial is given and which trial it continues, which is written into ``misc["fidelity"]``; or it knows nothing
of it, and then it is shown what is known at the full resource, where all of its trials run.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.random import Generator

from hpspace.history import History
from hpspace.run.domain import Domain
from hpspace.run.seeds import generator_from
from hpspace.run.stopping import is_count
from hpspace.space.batch import Batch
from hpspace.space.compile import compile_space
from hpspace.space.compiled import CompiledSpace
from hpspace.suggest import base
from hpspace.suggest.base import Algorithm
from hpspace.suggest.fidelity.view import whole
from hpspace.suggest.mix import checked_probabilities
from hpspace.trials import codec
from hpspace.trials.fidelity import FIDELITY, staged
from hpspace.trials.miscs import miscs_to_idxs_vals

logger = logging.getLogger(__name__)

#: ``suggest(new_ids, domain, trials, seed)`` -> trial documents.
Suggest = Callable[[Sequence[Any], Any, Any, int], list[dict[str, Any]]]

#: Sets the draw of `suggest_one_of` apart from what the chosen algorithm draws from the same seed.
_MIX_STREAM = 0x6D6978

#: What `algo=None` means.
DEFAULT_ALGORITHM = "tpe"


def suggest(
    algorithm: Algorithm, new_ids: Sequence[Any], domain: Any, trials: Any, seed: int
) -> list[dict[str, Any]]:
    """Let an algorithm answer in Hyperopt's form.

    Parameters
    ----------
    algorithm : Algorithm
        Who proposes.
    new_ids : sequence
        Ids for the new trials, of any kind.
    domain : Domain
        Its `space` is searched; its `revisit` says whether a finite space's points may come again.
    trials : Trials
        What is known so far.
    seed : int
        Plain or numpy integer (or a `Generator`).

    Returns
    -------
    list of dict
        At most one document an id, in state NEW, not inserted yet. Fewer when a finite space has no more points.
    """
    batch = propose(algorithm, len(new_ids), domain, trials, seed)
    tids = list(new_ids)[: len(batch)]
    specs, results, miscs = codec.documents(tids, batch)
    if batch.stages is not None:
        _write_stages(miscs, batch, mirror_of(trials, batch.space))
    docs: list[dict[str, Any]] = trials.new_trial_docs(tids, specs, results, miscs)
    return docs


def suggest_batch(
    algorithm: Algorithm, new_ids: Sequence[Any], domain: Any, trials: Any, seed: int
) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    """Let an algorithm answer as columns of ids and values.

    Parameters
    ----------
    algorithm, new_ids, domain, trials, seed
        As for `suggest`.

    Returns
    -------
    idxs, vals : dict of str to list
        Label to the ids of the trials in which it is active, and to its values in them.
    """
    batch = propose(algorithm, len(new_ids), domain, trials, seed)
    _, _, miscs = codec.documents(list(new_ids)[: len(batch)], batch)
    return miscs_to_idxs_vals(miscs, keys=batch.labels) if miscs else _empty_columns(batch.labels)


def suggest_one_of(
    p_suggest: Sequence[tuple[float, Any]], new_ids: Sequence[Any], domain: Any, trials: Any, seed: int
) -> list[dict[str, Any]]:
    """Let one of several algorithms answer a call.

    Parameters
    ----------
    p_suggest : sequence of (float, algorithm)
        Probability of each, with sum 1; algorithms of any kind that `as_suggest` reads.
    new_ids, domain, trials, seed
        As for `suggest`. The one that answers gets the same seed, so a mix with one certain algorithm is that
        algorithm.

    Returns
    -------
    list of dict
        What it answers.

    Raises
    ------
    ValueError
        If the probabilities do not sum to 1.
    """
    p = checked_probabilities([probability for probability, _ in p_suggest])
    rng = np.random.default_rng([_MIX_STREAM, seed])
    chosen = p_suggest[int(rng.choice(len(p), p=np.array(p) / sum(p)))][1]
    return as_suggest(chosen)(new_ids, domain, trials, seed)


def _empty_columns(labels: Sequence[str]) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    return {label: [] for label in labels}, {label: [] for label in labels}


def propose(algorithm: Algorithm, n: int, domain: Any, trials: Any, seed: int) -> Batch:
    """Ask an algorithm for points, given trials.

    Parameters
    ----------
    algorithm : Algorithm
        Who proposes.
    n : int
        How many points are wanted.
    domain, trials, seed
        As for `suggest`.

    Returns
    -------
    Batch
        At most n points.
    """
    space = space_of(domain)
    history = history_of(trials, space)
    plans = getattr(algorithm, "needs_fidelity", False)
    if space.fidelity is not None and not plans:
        history = whole(history, space.fidelity)
    rng = generator_from(seed)
    revisit: bool | None = getattr(domain, "revisit", None)
    batch = _ask(algorithm, space, history, n, rng, allow_repeats=bool(revisit))
    if revisit is None and len(batch) < n:
        # Outside of fmin nobody expects an empty answer: repeat a point rather than give none.
        if plans:  # two answers to the same history would plan the same job twice
            return _ask(algorithm, space, history, n, rng, allow_repeats=True)
        more = _ask(algorithm, space, history, n - len(batch), rng, allow_repeats=True)
        batch = Batch.concat([batch, more])
    return batch


def _write_stages(miscs: Sequence[dict[str, Any]], batch: Batch, mirror: codec.Mirror) -> None:
    """Write into documents what their trials are given of the resource, and which trials they continue."""
    fidelity = batch.space.fidelity
    assert fidelity is not None and batch.stages is not None  # asked by the caller; stages are of a resource
    for misc, stage in zip(miscs, batch.stages):
        parent = None if stage.parent is None else mirror.document(stage.parent)
        resource = fidelity.value(stage.resource)
        misc[FIDELITY] = staged(
            misc["tid"], fidelity.label, resource, fidelity.high, stage.rung, stage.bracket, parent
        )


def _ask(
    algorithm: Algorithm,
    space: CompiledSpace,
    history: History,
    n: int,
    rng: Generator,
    allow_repeats: bool,
) -> Batch:
    """One call of `propose`, with the history's permission set for its duration."""
    before = history.allow_repeats
    history.allow_repeats = allow_repeats
    try:
        return algorithm.propose(space, history, n, rng)
    finally:
        history.allow_repeats = before


def space_of(domain: Any) -> CompiledSpace:
    """Return the compiled space of a domain, also of one that only has an `expr`."""
    return domain.space if isinstance(domain, Domain) else compile_space(domain.expr)


def history_of(trials: Any, space: CompiledSpace) -> History:
    """Return the history of trials in a space.

    Parameters
    ----------
    trials : Trials
        Those of hpspace keep their history; of any other the documents in `trials.trials` are read.
    space : CompiledSpace
        What the columns belong to.

    Returns
    -------
    History
        For reading.
    """
    if hasattr(trials, "history"):
        return trials.history(space)  # type: ignore[no-any-return]
    return mirror_of(trials, space).history


def mirror_of(trials: Any, space: CompiledSpace) -> codec.Mirror:
    """Return what keeps the history of trials in a space, and knows the document of each row.

    Parameters
    ----------
    trials, space
        As for `history_of`.
    """
    if hasattr(trials, "mirror"):
        return trials.mirror(space)  # type: ignore[no-any-return]
    mirror = codec.Mirror(space)
    mirror.sync(trials.trials)
    return mirror


def as_suggest(algo: Any) -> Suggest:
    """Read what the user passed as `algo`.

    Parameters
    ----------
    algo : callable, str, Algorithm or None
        A function ``suggest(new_ids, domain, trials, seed)`` is used as it is; a str is the name of a registered
        algorithm; an object with a method `propose` is an algorithm; None is `DEFAULT_ALGORITHM`.

    Returns
    -------
    callable
        A function ``suggest(new_ids, domain, trials, seed)``.

    Raises
    ------
    TypeError
        For anything else.
    ValueError
        For a name that is not registered.
    """
    if algo is None:
        logger.info(
            "no algo given: using %r", DEFAULT_ALGORITHM, extra={"action": "algo", "algo": DEFAULT_ALGORITHM}
        )
        return as_suggest(DEFAULT_ALGORITHM)
    if isinstance(algo, str):
        return functools.partial(suggest, base.get(algo))
    if isinstance(algo, type) and hasattr(algo, "propose"):
        raise TypeError(f"algo={algo!r} is a class; pass an instance: {algo.__name__}()")
    if hasattr(algo, "propose"):
        return functools.partial(suggest, algo)
    if callable(algo):
        return algo  # type: ignore[no-any-return]
    hint = "; did you mean its function `suggest`?" if hasattr(algo, "suggest") else ""
    if is_count(algo):
        hint = f"; did you mean max_evals={algo!r}?"
    raise TypeError(
        f"algo={algo!r}: pass a function suggest(new_ids, domain, trials, seed), the name of an algorithm "
        f"({', '.join(base.names())}), or an object with a method propose{hint}"
    )
