"""Door with Hyperopt's name: the helpers live in `hpspace.run.helpers` and beside what they help."""

from __future__ import annotations

from hpspace.run.clock import coarse_utcnow
from hpspace.run.domain import use_obj_for_literal_in_memo
from hpspace.run.helpers import (
    _get_logger,
    _get_random_id,
    fast_isin,
    get_closest_dir,
    get_most_recent_inds,
    json_call,
    load_tokens,
    path_split_all,
    temp_dir,
    working_dir,
)
from hpspace.trials.bests import pmin_sampled

__all__ = [
    "_get_logger",
    "_get_random_id",
    "coarse_utcnow",
    "fast_isin",
    "get_closest_dir",
    "get_most_recent_inds",
    "json_call",
    "load_tokens",
    "path_split_all",
    "pmin_sampled",
    "temp_dir",
    "use_obj_for_literal_in_memo",
    "working_dir",
]
