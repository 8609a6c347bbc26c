"""Reading the trials that Hyperopt pickled, without trusting the file and without Hyperopt.

A pickle can run any program while it is read. This reader knows the few classes that Hyperopt's trials consist of,
puts its own in their place, and refuses whatever else the file names; so a file may come from anywhere. (`Trials.load`
reads such files too, along with everything that a result may hold, and wants to be trusted for it.)
"""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

from hpspace.trials.document import DOMAIN_CMD
from hpspace.trials.joining import join
from hpspace.trials.trials import Trials


class _Held:
    """What stands for Hyperopt's trials: an object that only holds what it was given."""


#: Classes of trials, by name, wherever they stand.
_TRIALS = {("hyperopt.base", "Trials"), ("hyperopt", "Trials"), ("hpspace.base", "Trials")}

#: Harmless names that documents are pickled with.
_HARMLESS = {
    *(("builtins", name) for name in ("set", "frozenset", "bytearray", "complex", "object")),
    *(("datetime", name) for name in ("datetime", "date", "timedelta", "timezone")),
    *(
        (f"numpy.{core}.multiarray", name)
        for core in ("core", "_core")
        for name in ("scalar", "_reconstruct")
    ),
    *(("numpy", name) for name in ("dtype", "ndarray")),
    ("_codecs", "encode"),
    ("collections", "OrderedDict"),
    ("copyreg", "_reconstructor"),
}


#: What old protocols call modules.
_OLD_NAMES = {"__builtin__": "builtins", "copy_reg": "copyreg"}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        module = _OLD_NAMES.get(module, module)
        if (module, name) in _TRIALS:
            return _Held
        if (module, name) == ("bson.son", "SON"):
            return dict
        if (module, name) in _HARMLESS:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(
            f"it holds a {module}.{name}, which is no part of Hyperopt's trials; if you trust the file, read it with "
            "hpspace.Trials.load"
        )


def import_hyperopt(path: str | Path, into: Any = None) -> Any:
    """Read trials that Hyperopt pickled, or kept in a ``trials_save_file``.

    Parameters
    ----------
    path : str or Path
        The file.
    into : Trials, optional
        Add them to these, see `hpspace.trials.joining`; by default new trials in memory are made.

    Returns
    -------
    Trials
        Those that hold them now, with their attachments; the pickled objective is left behind.

    Raises
    ------
    ValueError
        The file holds something else, or more than trials; the class is named.
    """
    with Path(path).open("rb") as file:
        try:
            held = _Reader(file).load()
        except Exception as error:  # noqa: BLE001 - on bytes that are no pickle it raises almost anything
            raise ValueError(f"{path} cannot be read as trials of Hyperopt: {error}") from None
    if not isinstance(held, _Held):
        raise ValueError(f"{path} holds no trials but an object of class {type(held).__name__}")
    state = vars(held)
    docs = state.get("_dynamic_trials", [])
    target = Trials() if into is None else into
    tids = dict(zip((doc["tid"] for doc in docs), join(target, docs, "minimize")))
    _attach(target, state.get("attachments", {}), tids)
    return target


def _attach(target: Any, attachments: dict[str, Any], tids: dict[Any, Any]) -> None:
    """Keep attachments, those of trials under their new ids."""
    known = {str(old): new for old, new in tids.items()}
    for key, value in attachments.items():
        kind, *rest = str(key).split("::", 2)
        if kind == "ATTACH" and len(rest) == 2 and rest[0] in known:
            trial = {"tid": known[rest[0]], "exp_key": target._exp_key, "misc": {}}
            target.trial_attachments(trial)[rest[1]] = value
        elif key != DOMAIN_CMD[1]:
            target.attachments[key] = value
