"""Trials as a table, for people and for pandas.

One row a trial and one column ``params_<label>`` a parameter, in the space's order. With the space known, a
choice shows its option instead of the option's index wherever that option is a constant. pandas is optional
and imported only by `to_dataframe`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hpspace.exceptions import MissingExtra
from hpspace.trials.document import JOB_STATE_NAMES

if TYPE_CHECKING:
    import pandas as pd

    from hpspace.space.compiled import CompiledSpace


def to_columns(docs: Sequence[dict[str, Any]], space: CompiledSpace | None = None) -> dict[str, list[Any]]:
    """Stub."""
    return {"tid": [d["tid"] for d in docs], "state": [JOB_STATE_NAMES[d["state"]] for d in docs]}


def to_dataframe(docs: Sequence[dict[str, Any]], space: CompiledSpace | None = None) -> pd.DataFrame:
    """Stub."""
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtra("pandas", "pandas") from None
    return pd.DataFrame(to_columns(docs, space))
