"""The Ctrl of an objective that runs elsewhere: every use of it is a question to the driver.

It has the methods of `run.ctrl.Ctrl` and none of its knowledge: what a report means, where attachments live and
whether to prune is decided by the real Ctrl on the driver's side (`base.answer`). How a question gets there is the
executor's business: a function ``ask(name, *args)`` that returns the answer or raises what the real Ctrl raised.

What it does not have is `trials`: the other trials live with the driver, and a copy would be out of date at once.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from hpspace.run.executors.base import Job
from hpspace.run.reporting import checked_report
from hpspace.trials.document import JOB_STATE_RUNNING, STATUS_NEW

Ask = Callable[..., Any]


class RemoteCtrl:
    """Control of one trial, handed to an objective that runs in another process, thread or machine.

    Parameters
    ----------
    ask : callable
        ``ask(name, *args)``; see `hpspace.run.executors.base.answer` for the names.
    job : Job
        What is evaluated.

    Attributes
    ----------
    current_trial : dict
        A copy of the trial's document as far as it is known here: "tid", "misc" with the point, "state", "result".
        Changing it changes nothing.
    """

    def __init__(self, ask: Ask, job: Job) -> None:
        self._ask = ask
        self._job = job
        self.current_trial: dict[str, Any] = {
            "tid": job.tid,
            "misc": copy.deepcopy(job.misc),
            "state": JOB_STATE_RUNNING,
            "result": {"status": STATUS_NEW},
        }

    def report(self, value: float, step: int | None = None) -> None:
        """Report an intermediate value; as `Ctrl.report`."""
        self._ask("report", *checked_report(value, step, self._job.tid))

    def should_prune(self) -> bool:
        """Ask whether the trial should end early; as `Ctrl.should_prune`."""
        return bool(self._ask("should_prune"))

    def report_or_prune(self, value: float, step: int | None = None) -> None:
        """Report a value, and raise TrialPruned if the trial should end; as `Ctrl.report_or_prune`."""
        self._ask("report_or_prune", *checked_report(value, step, self._job.tid))

    def checkpoint(self, result: dict[str, Any] | None = None) -> None:
        """Store a partial result in the trial; as `Ctrl.checkpoint`."""
        self._ask("checkpoint", result)

    def stop(self) -> None:
        """Ask the run to end after this trial; as `Ctrl.stop`."""
        self._ask("stop")

    def inject_results(
        self,
        specs: Sequence[Any],
        results: Sequence[dict[str, Any]],
        miscs: Sequence[dict[str, Any]],
        new_tids: Sequence[Any] | None = None,
    ) -> Any:
        """Store finished extra trials; as `Ctrl.inject_results`."""
        return self._ask("inject_results", specs, results, miscs, new_tids)

    @property
    def attachments(self) -> MutableMapping[str, Any]:
        """Attachments of this trial: read and write by name, where the trials are."""
        return RemoteAttachments(self._ask)

    @property
    def direction(self) -> str:
        """What the search looks for, "minimize" or "maximize"."""
        return self._job.direction

    @property
    def resource(self) -> int | float | None:
        """What the trial is given of the resource that the space declares; as `Ctrl.resource`."""
        return self._job.resource

    @property
    def trials(self) -> Any:
        """Not available where the objective runs elsewhere than the search."""
        raise AttributeError(
            "ctrl.trials: the other trials live in the process of the search and are not sent to where trials are "
            "evaluated; use ctrl.current_trial, ctrl.attachments and ctrl.report, or n_jobs=1"
        )

    def info(self, text: Any, *values: Any) -> None:
        """Log for the trial, in the process of the search."""
        self._log("info", text, values)

    def warn(self, text: Any, *values: Any) -> None:
        """Log for the trial, in the process of the search."""
        self._log("warn", text, values)

    def error(self, text: Any, *values: Any) -> None:
        """Log for the trial, in the process of the search."""
        self._log("error", text, values)

    def debug(self, text: Any, *values: Any) -> None:
        """Log for the trial, in the process of the search."""
        self._log("debug", text, values)

    def _log(self, level: str, text: Any, values: tuple[Any, ...]) -> None:
        # Rendered here, as a logging call would do it: what is logged need not be able to travel.
        mapping = values[0] if len(values) == 1 and isinstance(values[0], Mapping) and values[0] else values
        self._ask("log", level, str(text) % mapping if values else str(text))


class RemoteAttachments(MutableMapping[str, Any]):
    """The attachments of a trial that is evaluated elsewhere: a live view, each use asks.

    Parameters
    ----------
    ask : callable
        As for `RemoteCtrl`.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def __getitem__(self, name: str) -> Any:
        return self._ask("attachments.get", name)

    def __setitem__(self, name: str, value: Any) -> None:
        self._ask("attachments.set", name, value)

    def __delitem__(self, name: str) -> None:
        self._ask("attachments.del", name)

    def __contains__(self, name: object) -> bool:
        return name in self._ask("attachments.iter")

    def __iter__(self) -> Iterator[str]:
        return iter(self._ask("attachments.iter"))

    def __len__(self) -> int:
        return len(self._ask("attachments.iter"))

    def __repr__(self) -> str:
        return f"<attachments: {', '.join(self) or 'none'}>"
