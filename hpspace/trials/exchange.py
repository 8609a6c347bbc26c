"""Moving trials: between stores, and out to and in from text files of one JSON document a line.

A file of lines begins with a header, ``{"hpspace": "trials", "schema": 1, "direction": ..., "space": ...}``; then comes
one trial document a line, written by `trials.shared.encoding`, so that NaN, tuples, bytes and dates come back as they
were. Version 1 of the schema is the document of `trials.document`; what stores add to it is left out.

Attachments move between stores, and not into text files. (Pickles of Hyperopt's trials: `hpspace.trials.hyperopt`.)
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from hpspace.exceptions import StoreTooNew
from hpspace.trials.attachments import ATTACHED
from hpspace.trials.document import DOMAIN_CMD, TRIAL_KEYS
from hpspace.trials.joining import bare, join
from hpspace.trials.shared.encoding import decode, encode
from hpspace.trials.trials import Trials

#: Version of the lines.
SCHEMA = 1


def lines_of(
    docs: Iterable[Mapping[str, Any]], direction: str = "minimize", space: Mapping[str, Any] | None = None
) -> Iterator[str]:
    """Yield the lines of a file.

    Parameters
    ----------
    docs : iterable of dict
        Trial documents, of every state.
    direction : str
        What the search looked for.
    space : mapping, optional
        Description of the space, see `CompiledSpace.to_json`.

    Yields
    ------
    str
        Each with its line feed.

    Raises
    ------
    Unstorable
        A value cannot be written as text; its place is named.

    Examples
    --------
    >>> from hpspace.trials.document import new_document
    >>> [line[:20] for line in lines_of([new_document(0, {"x": 0.5})])]
    ['{"hpspace": "trials"', '{"state": 0, "tid": ']
    """
    yield json.dumps({"hpspace": "trials", "schema": SCHEMA, "direction": direction, "space": space}) + "\n"
    for doc in docs:
        yield encode(bare(doc), f"trial {doc['tid']}") + "\n"


def export_jsonl(trials: Any, path: str | Path) -> int:
    """Write trials to a file, one a line.

    Parameters
    ----------
    trials : Trials
        Of any store; those in every state are written.
    path : str or Path
        The file; replaced if it exists.

    Returns
    -------
    int
        How many trials were written.
    """
    docs = trials.documents()
    with Path(path).open("w", encoding="utf-8") as file:
        file.writelines(lines_of(docs, trials.direction, trials.space_json))
    return len(docs)


def import_jsonl(path: str | Path, into: Any = None) -> Any:
    """Read trials from a file that `export_jsonl` wrote.

    Parameters
    ----------
    path : str or Path
        The file.
    into : Trials, optional
        Add them to these, see `hpspace.trials.joining`; by default new trials in memory are made.

    Returns
    -------
    Trials
        Those that hold them now.

    Raises
    ------
    StoreTooNew
        A later release has written the file.
    ValueError
        It is no such file; names the line.
    """
    with Path(path).open(encoding="utf-8") as file:
        header = _header(file.readline(), path)
        docs = [_document(line, number, path) for number, line in enumerate(file, 2) if line.strip()]
    target = Trials() if into is None else into
    join(target, docs, header["direction"])
    return target


def _header(line: str, path: str | Path) -> dict[str, Any]:
    try:
        header = json.loads(line)
    except ValueError:
        header = None
    if not isinstance(header, dict) or header.get("hpspace") != "trials":
        raise ValueError(f"{path}, line 1: this is no file of trials; export_jsonl writes them")
    if header["schema"] > SCHEMA:
        raise StoreTooNew(str(path), header["schema"], SCHEMA)
    return header


def _document(line: str, number: int, path: str | Path) -> dict[str, Any]:
    try:
        doc = decode(line)
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path}, line {number}: {error}") from None
    missing = [key for key in TRIAL_KEYS if not isinstance(doc, dict) or key not in doc]
    if missing:
        raise ValueError(f"{path}, line {number}: a trial without {', '.join(missing)}")
    return dict(doc)


def copy_trials(source: Any, target: Any) -> Any:
    """Copy trials, their attachments and the space.

    Parameters
    ----------
    source : Trials
        Of any store; those in every state are copied, running ones as queued.
    target : Trials or str
        Where to, or the URL of it. What is there stays; see `hpspace.trials.joining`. The copies belong to its
        experiment; if it has none and the source shows several, they keep theirs.

    Returns
    -------
    Trials
        `target`, refreshed.

    Raises
    ------
    DirectionMismatch
        The target's trials are of a search in the other direction.

    Examples
    --------
    >>> from hpspace import fmin, hp
    >>> trials = Trials()
    >>> best = fmin(lambda x: x * x, hp.uniform("x", -1, 1), "rand", 4, trials=trials, rstate=0, verbose=False)
    >>> copied = copy_trials(trials, "memory:#copy")
    >>> len(copied), copied.losses() == trials.losses()
    (4, True)
    """
    target = Trials.open(target) if isinstance(target, str) else target
    source.refresh()
    exp_keys = list(dict.fromkeys(doc["exp_key"] for doc in source.documents())) or [source._exp_key]
    apart = len(exp_keys) > 1 and target._exp_key is None
    for exp_key in exp_keys:
        mine = source if exp_key == source._exp_key else source.view(exp_key)
        _copy_experiment(mine, target.view(exp_key) if apart else target, exp_key)
    target.refresh()
    return target


def _copy_experiment(source: Any, target: Any, exp_key: str | None) -> None:
    docs = [doc for doc in source.documents() if doc["exp_key"] == exp_key]
    tids = join(target, docs, source.direction)
    if source.space is not None:
        target.remember_space(source.space)
    for doc, tid in zip(docs, tids):
        copied = target.trial_attachments({"tid": tid, "exp_key": target._exp_key, "misc": {}})
        own = source.trial_attachments({**doc, "misc": {}})  # not those of the trials that it continues
        for name, value in own.items():
            copied[name] = value
    for name in list(source.attachments):
        if name != DOMAIN_CMD[1] and not str(name).startswith(ATTACHED):
            target.attachments[name] = source.attachments[name]
