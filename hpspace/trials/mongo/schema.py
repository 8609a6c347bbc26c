"""What an experiment's database holds: collections, their indexes, and the version of it all.

============  ===================================================================================================
``jobs``      the trials; Hyperopt's name and keys (another name may stand in the address)
``job_ids``   one document: the lowest id not given out yet; Hyperopt's
``drivers``   facts of each experiment, its objective, and until when a driver holds that; Hyperopt's name
``fs.*``      attachments and objectives (GridFS); Hyperopt's
``workers``   who is there; forgotten after a day
``hpspace``   one document: version of the schema, and a mark that changes whenever trials are deleted
``wakeups``   a few bytes a change, on servers without change streams; see `wake`
============  ===================================================================================================

Every look for work goes through an index made for it, so its cost does not grow with the experiment.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from hpspace.exceptions import StoreTooNew
from hpspace.trials.document import JOB_STATE_NEW, JOB_STATE_RUNNING
from hpspace.trials.mongo.connect import Document, Link
from hpspace.trials.shared.contract import SCHEMA_VERSION

if TYPE_CHECKING:
    from pymongo.collection import Collection
    from pymongo.database import Database

logger = logging.getLogger(__name__)

COUNTERS, DRIVERS, WORKERS, STORE, WAKEUPS = "job_ids", "drivers", "workers", "hpspace", "wakeups"

#: Filter of the one document of `COUNTERS` and that of `STORE`.
THE_COUNTER: Mapping[str, Any] = {"a": 0}
THE_STORE: Mapping[str, Any] = {"_id": "store"}

#: Seconds after which a worker that says nothing is forgotten.
FORGET_WORKERS = 24 * 3600

Index = tuple[list[str], dict[str, Any]]

#: Indexes of the trials, each with what is asked through it.
JOB_INDEXES: tuple[Index, ...] = (
    (["tid"], {"unique": True}),  # a trial by its id
    (["exp_key", "state", "tid"], {}),  # the next trial of an experiment
    (["state", "tid"], {"partialFilterExpression": {"state": JOB_STATE_NEW}}),  # the next trial of any
    (
        ["state", "lease_until"],
        {"partialFilterExpression": {"state": JOB_STATE_RUNNING}},
    ),  # leases that ran out
    (["exp_key", "mtime"], {}),  # what has changed in an experiment
    (["mtime"], {}),  # what has changed in any
    (["result.loss"], {}),  # Hyperopt's, for people's own queries
)
OTHER_INDEXES: Mapping[str, Index] = {
    DRIVERS: (["exp_key"], {"unique": True}),
    WORKERS: (["seen"], {"expireAfterSeconds": FORGET_WORKERS}),
    COUNTERS: (["a"], {"unique": True}),
    "fs.files": (["exp_key"], {}),
}


def prepare(link: Link) -> None:
    """Make everything that a store relies on, as far as it is not there.

    Parameters
    ----------
    link : Link
        The database.

    Raises
    ------
    StoreTooNew
        A later release has written it.
    """
    database, jobs = link.database, link.database[link.url.collection]
    _check_version(database, link.url.shown)
    _make_indexes(jobs, JOB_INDEXES)
    for name, index in OTHER_INDEXES.items():
        _make_indexes(database[name], [index])
    if database[COUNTERS].find_one(THE_COUNTER) is None:
        raise_counter(database, 1 + highest_tid(jobs))


def _check_version(database: Database[Document], shown: str) -> None:
    from bson import ObjectId

    new: Document = {"schema": SCHEMA_VERSION, "deletions": ObjectId()}
    database[STORE].update_one(THE_STORE, {"$setOnInsert": new}, upsert=True)
    store = database[STORE].find_one(THE_STORE) or new
    if store["schema"] > SCHEMA_VERSION:
        raise StoreTooNew(shown, store["schema"], SCHEMA_VERSION)


def highest_tid(jobs: Collection[Document]) -> int:
    """Return the highest id of a trial, -1 if there is none."""
    last = jobs.find_one({}, {"tid": True}, sort=[("tid", -1)])
    return -1 if last is None else int(last["tid"])


def raise_counter(database: Database[Document], at_least: int) -> None:
    """Let no id below be given out from now on."""
    database[COUNTERS].update_one(THE_COUNTER, {"$max": {"last_id": at_least}}, upsert=True)


def _make_indexes(collection: Collection[Document], indexes: Sequence[Index]) -> None:
    """Make indexes; without uniqueness where what Hyperopt left behind does not allow that."""
    from pymongo import IndexModel
    from pymongo.errors import DuplicateKeyError

    def models(dropped: str = "") -> list[IndexModel]:
        kept = [
            (keys, {name: x for name, x in options.items() if name != dropped}) for keys, options in indexes
        ]
        return [IndexModel([(key, 1) for key in keys], **options) for keys, options in kept]

    try:
        collection.create_indexes(models())
    except DuplicateKeyError:
        logger.warning(
            "%s holds several documents with one id: nothing can keep that from happening again",
            collection.full_name,
            extra={"action": "ids_not_unique"},
        )
        collection.create_indexes(models(dropped="unique"))
