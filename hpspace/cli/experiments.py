"""``hpspace list | workers | show | best | export | requeue | cancel | delete URL``: to look, and to order."""

from __future__ import annotations

import argparse
import csv
import json
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

from hpspace.cli.address import HELP, opened
from hpspace.trials.document import JOB_STATE_NAMES
from hpspace.trials.shared.process import is_gone

#: Columns of ``show``.
_SHOWN = ("tid", "state", "status", "value", "attempt", "owner", "error")


def add_commands(commands: Any) -> None:
    """Add the commands to the program's."""
    table: list[tuple[str, Callable[[argparse.Namespace], int], str]] = [
        ("list", _list, "list the experiments of a store"),
        ("workers", _workers, "list the workers and drivers that are there now"),
        ("show", _show, "show the trials of an experiment, or some of them"),
        ("best", _best, "show the best trial of an experiment"),
        ("export", _export, "write the trials of an experiment to a file or to stdout"),
        ("requeue", _requeue, "evaluate failed, cancelled or running trials again"),
        ("cancel", _cancel, "cancel queued trials, all or some"),
        ("delete", _delete, "delete trials, or a whole experiment"),
    ]
    for name, function, text in table:
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("url", nargs="?", help=HELP)
        if name != "list":
            command.add_argument("--exp-key", help="the experiment; by default that of the URL")
        if name in ("show", "requeue", "cancel", "delete"):
            command.add_argument("--tid", type=int, nargs="+", help="these trials only")
        if name == "export":
            command.add_argument("--format", choices=["jsonl", "csv"], default="jsonl")
            command.add_argument("--output", help="file to write; by default stdout")
        if name == "requeue":
            command.add_argument("--failed", action="store_true", help="all that ended in an error")
        if name == "delete":
            command.add_argument("--all", action="store_true", help="every experiment of the store")
            command.add_argument("--yes", action="store_true", help="do it: what is deleted is gone")
        if name != "export":
            command.add_argument("--json", action="store_true", help="write JSON")
        command.set_defaults(run=function)


def _opened(given: argparse.Namespace, refresh: bool = True) -> Any:
    trials = opened(given.url, getattr(given, "exp_key", None), create=False)
    if refresh:
        trials.refresh()
    return trials


def _list(given: argparse.Namespace) -> int:
    trials = _opened(given, refresh=False)
    rows = []
    for experiment in trials.store.experiments():
        if trials._exp_key not in (None, experiment.exp_key):
            continue
        sign = -1.0 if experiment.direction == "maximize" else 1.0
        best = experiment.best_loss
        counts = {JOB_STATE_NAMES[state]: n for state, n in sorted(experiment.counts.items())}
        rows.append(
            {
                "exp_key": experiment.exp_key,
                "trials": sum(counts.values()),
                **{name: counts.get(name, 0) for name in JOB_STATE_NAMES.values()},
                "direction": experiment.direction,
                "best": None if best is None else sign * best,
                "last_change": experiment.last_change,
            }
        )
    _write(rows, given.json)
    return 0


def _workers(given: argparse.Namespace) -> int:
    trials = opened(given.url, given.exp_key, create=False)
    present = [worker for worker in trials.store.workers(trials._exp_key) if not is_gone(worker)]
    names = ("owner", "role", "exp_key", "python", "seen", "cannot_load")
    rows = [{name: worker.get(name) for name in names} for worker in present]
    _write(rows, given.json)
    return 0 if rows else 1


def _show(given: argparse.Namespace) -> int:
    trials = _opened(given)
    docs = [doc for doc in trials.documents() if not given.tid or doc["tid"] in given.tid]
    if given.json:
        _write([_plain(doc) for doc in docs], True)
    else:
        _write([_row(doc, trials.direction) for doc in docs], False)
    return 0 if docs else 1


def _row(doc: dict[str, Any], direction: str) -> dict[str, Any]:
    """Return what is shown of a trial: `_SHOWN`, then its point."""
    result, misc = doc["result"], doc["misc"]
    loss = result.get("loss")
    negated = direction == "maximize" and isinstance(loss, (int, float))
    error = misc.get("error")
    facts = {
        "tid": doc["tid"],
        "state": JOB_STATE_NAMES[doc["state"]],
        "status": result.get("status"),
        "value": -loss if negated else loss,
        "attempt": doc.get("attempt"),
        "owner": doc.get("owner"),
        "error": None if error is None else f"{_short(error[0])}: {error[1]}",
    }
    return {**facts, **{label: values[0] for label, values in misc["vals"].items() if values}}


def _short(kind: str) -> str:
    """Return the name in what ``str`` makes of a class, which is how Hyperopt's documents name exceptions."""
    return str(kind).removeprefix("<class '").removesuffix("'>")


def _best(given: argparse.Namespace) -> int:
    trials = _opened(given)
    doc = trials.best_trial
    row = _row(doc, trials.direction)
    said = {"tid": doc["tid"], "value": row["value"], "point": trials.argmin}
    if given.json:
        _write(_plain(said), True)
        return 0
    sys.stdout.write(f"trial {said['tid']}: {said['value']}\n")
    for label, value in said["point"].items():
        sys.stdout.write(f"  {label} = {value}\n")
    return 0


def _export(given: argparse.Namespace) -> int:
    trials = _opened(given)
    docs = trials.documents()
    if given.output is None:
        _export_to(sys.stdout, given.format, docs, trials)
        return 0
    with open(given.output, "w", newline="", encoding="utf-8") as file:  # noqa: PTH123 - a text stream like stdout
        _export_to(file, given.format, docs, trials)
    return 0


def _export_to(stream: Any, form: str, docs: Sequence[dict[str, Any]], trials: Any) -> None:
    if form == "jsonl":
        from hpspace.trials.exchange import lines_of

        stream.writelines(lines_of(docs, trials.direction, trials.space_json))
        return
    rows = [_row(doc, trials.direction) for doc in docs]
    names = list(dict.fromkeys([*_SHOWN, *(name for row in rows for name in row)]))
    writer = csv.DictWriter(stream, names)
    writer.writeheader()
    writer.writerows(rows)


def _requeue(given: argparse.Namespace) -> int:
    trials = _opened(given)
    tids = given.tid or []
    if given.failed:
        tids = [doc["tid"] for doc in trials.documents() if JOB_STATE_NAMES[doc["state"]] == "error"]
    elif not tids:
        raise ValueError("which trials? --tid 3 4, or --failed")
    return _done("requeued", trials.store.requeue(trials._exp_key, tids), given.json)


def _cancel(given: argparse.Namespace) -> int:
    trials = _opened(given, refresh=False)
    return _done("cancelled", trials.store.cancel(trials._exp_key, given.tid), given.json)


def _delete(given: argparse.Namespace) -> int:
    trials = _opened(given, refresh=False)
    key = trials._exp_key
    if not (given.tid or key or given.all):
        raise ValueError("which experiment? #name at the end of the URL or --exp-key, or --all of the store")
    if given.all and (given.tid or key):
        raise ValueError("--all means every experiment: leave --tid and the experiment's name away")
    what = f"trials {given.tid}" if given.tid else f"experiment {key}" if key else "everything"
    if not given.yes:
        raise ValueError(f"{what} of {trials.store.url} would be deleted for good; add --yes to do it")
    return _done("deleted", trials.store.delete(key, given.tid), given.json)


def _done(word: str, n: int, as_json: bool) -> int:
    sys.stdout.write(json.dumps({word: n}) + "\n" if as_json else f"{n} trials {word}\n")
    return 0


# -------------------------------------------------------------------- output


def _write(rows: Any, as_json: bool) -> None:
    """Write rows as JSON or as a table."""
    if as_json:
        sys.stdout.write(json.dumps(_plain(rows), indent=2) + "\n")
        return
    names = list(dict.fromkeys(name for row in rows for name in row))
    if not names:
        sys.stderr.write("there is nothing to show\n")
        return
    cells = [[_text(row.get(name)) for name in names] for row in rows]
    widths = [max(len(line[i]) for line in [names, *cells]) for i in range(len(names))]
    for line in [names, *cells]:
        sys.stdout.write("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() + "\n")


def _text(value: Any) -> str:
    return "-" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    """Return a value as JSON can hold it: no NaN, dates as text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
