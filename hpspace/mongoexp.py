"""Searching with workers on other machines, through MongoDB; lives in `hpspace.trials.mongo`."""

from __future__ import annotations

from hpspace.exceptions import DomainSwapError, ReserveTimeout
from hpspace.exceptions import InvalidTrial as InvalidMongoTrial
from hpspace.exceptions import StoreError as OperationFailure
from hpspace.run.ctrl import Ctrl as MongoCtrl
from hpspace.run.mongoworker import MongoWorker
from hpspace.trials.mongo.jobs import MongoJobs
from hpspace.trials.mongo.trials import MongoTrials
from hpspace.trials.mongo.url import as_mongo_str, parse_url

__all__ = [
    "DomainSwapError",
    "InvalidMongoTrial",
    "MongoCtrl",
    "MongoJobs",
    "MongoTrials",
    "MongoWorker",
    "OperationFailure",
    "ReserveTimeout",
    "as_mongo_str",
    "parse_url",
]
