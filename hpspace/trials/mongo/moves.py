"""The moves of a trial, as filters and pipelines of MongoDB: what is looked for, and what is changed.

Each move is one command that finds a document in the state it has to be in and changes it at the same moment, by the
server's clock (``$$NOW``). Whatever comes from users goes in as ``$literal``: a key of a result may contain a dot or
begin with a dollar. Nothing here talks to a server; `store` does, and `tests/mongo` asks the server to explain.

Keys that documents have besides those of every store::

    mtime     when readers last had reason to read it again: every move but a beat
    lease     seconds that the present claim was last extended by
    error     what misc["error"] holds, at the place where Hyperopt's tools look for it
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from hpspace.trials.document import (
    EVALUATION_KEYS,
    JOB_STATE_CANCEL,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
    STATUS_NEW,
)
from hpspace.trials.shared.contract import STORE_KEYS, Claim

Filter = dict[str, Any]
Pipeline = list[dict[str, Any]]

NOW = "$$NOW"

#: Fields of every change that readers have to see.
_SEEN: dict[str, Any] = {
    "version": {"$add": [{"$ifNull": ["$version", 0]}, 1]},
    "refresh_time": NOW,
    "mtime": NOW,
}


def literal(value: Any) -> dict[str, Any]:
    """Return an expression that means a value, whatever it contains."""
    return {"$literal": value}


# -- what is looked for ------------------------------------------------------------------------------------


def of(exp_key: str | None, tids: Iterable[int] | None = None, **fields: Any) -> Filter:
    """Return the filter of trials: of one experiment or of all, with given ids or any."""
    experiment = {} if exp_key is None else {"exp_key": exp_key}
    ids = {} if tids is None else {"tid": {"$in": list(tids)}}
    return {**experiment, **fields, **ids}


def queued(exp_key: str | None, tids: Iterable[int] | None = None) -> Filter:
    """Return the filter of trials that wait."""
    return of(exp_key, tids, state=JOB_STATE_NEW)


def held(claim: Claim) -> Filter:
    """Return the filter of the trial of a claim, as long as that is the newest one."""
    return {"tid": claim.tid, "state": JOB_STATE_RUNNING, "token": claim.token}


def expired(exp_key: str | None) -> Filter:
    """Return the filter of running trials whose lease has run out, or that never had one."""
    return {**of(exp_key, state=JOB_STATE_RUNNING), "$expr": {"$lt": ["$lease_until", NOW]}}


def unchanged(doc: Mapping[str, Any]) -> Filter:
    """Return the filter of a running trial that nobody has extended, moved or claimed since it was read."""
    same = {key: doc.get(key) for key in ("token", "lease_until")}
    return {"_id": doc["_id"], "state": JOB_STATE_RUNNING, **same}


def changed_since(exp_key: str | None, since: Any) -> Filter:
    """Return the filter of trials changed at or after a time of the server."""
    return of(exp_key, mtime={"$gte": since})


# -- what is changed ---------------------------------------------------------------------------------------


def born(doc: Mapping[str, Any]) -> Pipeline:
    """Insert a document; or nothing, if the document with that ``_id`` is there already."""
    new = {**STORE_KEYS, **doc, "token": None, "lease_until": None}
    whole = {"$mergeObjects": [literal(new), {"mtime": NOW}]}
    return [{"$replaceWith": {"$cond": [{"$eq": [{"$type": "$tid"}, "missing"]}, whole, "$$ROOT"]}}]


def claimed(owner: Any, token: str, lease: float) -> Pipeline:
    """Move NEW to RUNNING."""
    fields = {
        "state": JOB_STATE_RUNNING,
        "owner": literal(owner),
        "token": token,
        "attempt": {"$add": [{"$ifNull": ["$attempt", 0]}, 1]},
        "book_time": NOW,
        "closed_by": None,
    }
    return [{"$set": {**fields, **_leased(lease), **_SEEN}}]


def booked(owner: Any) -> Pipeline:
    """Move NEW to RUNNING without a lease, as Hyperopt's workers do."""
    return [*claimed(owner, "", 0.0), {"$set": {"token": None}}, {"$unset": ["lease", "lease_until"]}]


def edited(fields: Mapping[str, Any]) -> Pipeline:
    """Write top-level keys, whatever they are."""
    return [{"$replaceWith": {"$mergeObjects": ["$$ROOT", literal(fields)]}}, {"$set": _SEEN}]


def extended(lease: float) -> Pipeline:
    """Give a claim more time; no change that readers see."""
    return [{"$set": _leased(lease)}]


def updated(result: dict[str, Any] | None, misc: dict[str, Any]) -> Pipeline:
    """Replace the result and merge the misc of a running trial."""
    return [{"$set": {**_content(result, misc), **_SEEN}}]


def ended(token: str, state: int, result: dict[str, Any] | None, misc: dict[str, Any]) -> Pipeline:
    """Move RUNNING to an outcome."""
    fields = {"state": state, "token": None, "lease_until": None, "closed_by": token}
    return [{"$set": {**fields, **_content(result, misc), **_SEEN}}]


def given_up(error: tuple[str, str]) -> Pipeline:
    """Move RUNNING to ERROR, by order of somebody else than who has claimed it."""
    fields = {"state": JOB_STATE_ERROR, "token": None, "lease_until": None}
    return [{"$set": {**fields, **_content(None, {"error": list(error)}), **_SEEN}}]


def queued_again(attempts: int | None = None, less: int = 0) -> Pipeline:
    """Make a trial wait again as if it had never been evaluated; count its attempts anew, or some less."""
    counted = {"$subtract": [{"$ifNull": ["$attempt", 0]}, less]}
    nobody = dict.fromkeys(("owner", "token", "lease_until", "closed_by", "book_time"))
    fields = {
        "state": JOB_STATE_NEW,
        "result": literal({"status": STATUS_NEW}),
        "attempt": counted if attempts is None else attempts,
    }
    forgotten = ["error", "lease", *(f"misc.{key}" for key in EVALUATION_KEYS)]
    return [{"$set": {**nobody, **fields, **_SEEN}}, {"$unset": forgotten}]


def cancelled() -> Pipeline:
    """Move NEW to CANCEL."""
    return [{"$set": {"state": JOB_STATE_CANCEL, **_SEEN}}]


def attached(name: str, file_id: Any) -> Pipeline:
    """Let a name of the trial's attachments mean a file; Hyperopt keeps pairs in a list."""
    others = _attachments_without(name)
    return [{"$set": {"_attachments": {"$concatArrays": [others, [[literal(name), file_id]]]}}}]


def detached(name: str) -> Pipeline:
    """Remove a name from the trial's attachments."""
    return [{"$set": {"_attachments": _attachments_without(name)}}]


def _attachments_without(name: str) -> dict[str, Any]:
    different = {"$ne": [{"$arrayElemAt": ["$$pair", 0]}, literal(name)]}
    return {"$filter": {"input": {"$ifNull": ["$_attachments", []]}, "as": "pair", "cond": different}}


def _leased(seconds: float) -> dict[str, Any]:
    milliseconds = round(1000 * seconds)
    return {"lease_until": {"$add": [NOW, milliseconds]}, "lease": float(seconds)}


def _content(result: dict[str, Any] | None, misc: dict[str, Any]) -> dict[str, Any]:
    fields: dict[str, Any] = {} if result is None else {"result": literal(result)}
    if misc:
        fields["misc"] = {"$mergeObjects": ["$misc", literal(misc)]}
    if "error" in misc:
        fields["error"] = literal(misc["error"])
    return fields
