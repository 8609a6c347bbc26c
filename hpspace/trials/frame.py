"""Trials as a table, for people and for pandas.

One row a trial and one column ``params_<label>`` a parameter, in the space's order. With the space known, a
choice shows its option instead of the option's index; an option that is no constant shows as a short text.
pandas is optional and imported only by `to_dataframe`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hpspace.exceptions import MissingExtra
from hpspace.trials.bests import number
from hpspace.trials.direction import MAXIMIZE, MINIMIZE
from hpspace.trials.document import JOB_STATE_NAMES

if TYPE_CHECKING:
    import pandas as pd

    from hpspace.space.compiled import CompiledSpace

#: What the column of a parameter's label begins with.
PREFIX = "params_"


def to_columns(
    docs: Sequence[dict[str, Any]], space: CompiledSpace | None = None, direction: str = MINIMIZE
) -> dict[str, list[Any]]:
    """Return trials as columns of equal length.

    Parameters
    ----------
    docs : sequence of dict
        Trial documents.
    space : CompiledSpace, optional
        Gives the order of the parameters and the options of choices.
    direction : str
        What the search looks for.

    Returns
    -------
    dict of list
        ``tid``, ``state`` (in words), ``status``, ``loss`` (what was minimised), ``value`` if the direction is
        "maximize" (what the objective returned), ``book_time`` and ``refresh_time`` (naive UTC),
        ``duration`` (a `datetime.timedelta`), ``error`` if any trial has one (its type and message), and
        ``params_<label>`` for each label. None where a trial has no such thing.
    """
    return _columns(docs, space, direction, inactive=None)


def _columns(
    docs: Sequence[dict[str, Any]], space: CompiledSpace | None, direction: str, inactive: Any
) -> dict[str, list[Any]]:
    """Return the columns of `to_columns`, with `inactive` where a parameter has no value."""
    results = [doc["result"] for doc in docs]
    columns: dict[str, list[Any]] = {
        "tid": [doc["tid"] for doc in docs],
        "state": [JOB_STATE_NAMES.get(doc["state"], doc["state"]) for doc in docs],
        "status": [result.get("status") for result in results],
        "loss": [result.get("loss") for result in results],
        **({"value": [result.get("value") for result in results]} if direction == MAXIMIZE else {}),
        "book_time": [doc["book_time"] for doc in docs],
        "refresh_time": [doc["refresh_time"] for doc in docs],
        "duration": [_duration(doc) for doc in docs],
    }
    errors = [_error(doc) for doc in docs]
    if any(error is not None for error in errors):
        columns["error"] = errors
    for label in _labels(docs, space):
        columns[PREFIX + label] = [_value(doc, label, space, inactive) for doc in docs]
    return columns


def to_dataframe(
    docs: Sequence[dict[str, Any]], space: CompiledSpace | None = None, direction: str = MINIMIZE
) -> pd.DataFrame:
    """Return trials as a DataFrame, one row a trial.

    Parameters
    ----------
    docs : sequence of dict
        Trial documents.
    space : CompiledSpace, optional
        Gives the order of the parameters, their types and the options of choices.
    direction : str
        What the search looks for.

    Returns
    -------
    pandas.DataFrame
        The columns of `to_columns`. Integer parameters are ``Int64``, other numbers ``float64``, choices
        categorical with every option as a category where options can be told apart; inactive is NA.

    Raises
    ------
    MissingExtra
        pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise MissingExtra("pandas", "pandas") from None
    columns = _columns(docs, space, direction, inactive=pd.NA)  # None may be an option
    index = pd.RangeIndex(len(docs))
    series: dict[str, Any] = {"tid": columns.pop("tid"), "state": columns.pop("state")}
    for name, values in columns.items():
        typed, dtype = _typed(name, values, space)
        series[name] = pd.Series(typed, index=index, dtype=dtype)
    frame: pd.DataFrame = pd.DataFrame(series, index=index)
    return frame


def _typed(name: str, values: list[Any], space: CompiledSpace | None) -> tuple[Any, Any]:
    """Return the values of a column and the dtype it should have."""
    if name in ("loss", "value"):
        return [number(value) for value in values], "float64"
    if name.endswith("_time"):
        return values, "datetime64[ns]"
    if name == "duration":
        return values, "timedelta64[ns]"
    if name.startswith(PREFIX):
        return _typed_parameter(name[len(PREFIX) :], values, space)
    return values, "object"


def _typed_parameter(label: str, values: list[Any], space: CompiledSpace | None) -> tuple[Any, Any]:
    import pandas as pd

    options = space[label].options if space is not None and label in space else None
    if options is not None:
        return values, pd.CategoricalDtype(list(options)) if _can_be_categories(options) else "object"
    types = {type(value) for value in values if value is not pd.NA}
    if types == {int} and all(value is pd.NA or abs(value) < 2**63 for value in values):
        return values, "Int64"
    if types <= {int, float}:
        return [math.nan if value is pd.NA else value for value in values], "float64"
    return values, "object"


def _can_be_categories(options: Sequence[Any]) -> bool:
    """Whether options are hashable, differ from each other, and none of them stands for a missing value."""
    try:
        return len(set(options)) == len(options) and all(map(_is_present, options))
    except TypeError:  # one of them cannot be hashed
        return False


def _is_present(option: Any) -> bool:
    return option is not None and not (isinstance(option, float) and option != option)


def _duration(doc: dict[str, Any]) -> Any:
    if doc["book_time"] is None or doc["refresh_time"] is None:
        return None
    return doc["refresh_time"] - doc["book_time"]


def _error(doc: dict[str, Any]) -> str | None:
    error = doc["misc"].get("error")
    return ": ".join(str(part) for part in error[:2]) if error else None


def _labels(docs: Sequence[dict[str, Any]], space: CompiledSpace | None) -> list[str]:
    """Return the labels of the space, then those that only documents have."""
    of_docs = (label for doc in docs for label in doc["misc"]["vals"])
    return list(dict.fromkeys([*(space.labels if space is not None else ()), *of_docs]))


def _value(doc: dict[str, Any], label: str, space: CompiledSpace | None, inactive: Any) -> Any:
    """Return the value of a label in a document."""
    values = doc["misc"]["vals"].get(label)
    if not values:
        return inactive
    options = space[label].options if space is not None and label in space else None
    return values[0] if options is None else _option(options, values[0])


def _option(options: Sequence[Any], index: Any) -> Any:
    """Return the option at an index, the index itself if there is none."""
    whole = number(index)
    return options[int(whole)] if whole in range(len(options)) else index
