"""Showing how far a run is: on a terminal, in a notebook, in a log file, or not at all.

A progress callback is a function ``callback(initial, total)`` that returns a context manager; inside, the loop
sets the `postfix` of what the context yields and calls its `update(n)`. The default picks by where stderr goes:

- a notebook: the widget of ``tqdm.auto``;
- a terminal: tqdm's bar on stderr;
- anything else (a file, a pipe, a CI log): a plain line every few seconds, no carriage returns.

A display that cannot be shown (stderr closed, a broken pipe, a full disk, no tqdm) is given up; it never ends a run.
It never replaces `sys.stdout` or `sys.stderr`: an objective that prints prints as always. tqdm is imported when a
bar is first shown. Called by `run.loop`; the door `hpspace.progress` has Hyperopt's names.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol, TextIO

logger = logging.getLogger(__name__)

#: Seconds between two plain lines when stderr is not a terminal.
LINE_INTERVAL = 5.0

#: Totals at or above this mean "no limit".
UNLIMITED = sys.maxsize


class Progress(Protocol):
    """What a progress callback yields."""

    #: Text shown after the count, such as ``best loss: 0.25``.
    postfix: Any

    def update(self, n: int) -> Any:
        """Count `n` more finished trials."""


ProgressCallback = Callable[[int, int], AbstractContextManager[Any]]


class Silence:
    """A progress display that shows nothing."""

    postfix: Any = None

    def update(self, n: int) -> None:
        """Ignore `n` finished trials."""

    def close(self) -> None:
        """Show nothing."""


class PlainLines:
    """Progress as lines of text for files and pipes.

    Parameters
    ----------
    stream : text stream
        Where to write.
    initial : int
        Trials finished before the run.
    total : int or None
        Trials there will be, None when unlimited.
    interval : float
        Seconds between two lines, at least.
    """

    def __init__(
        self, stream: TextIO, initial: int, total: int | None, interval: float = LINE_INTERVAL
    ) -> None:
        self.postfix: Any = None
        self._stream = stream
        self._count = initial
        self._total = total
        self._interval = interval
        self._started = self._written = time.monotonic()
        self._shown = initial

    def update(self, n: int) -> None:
        """Count `n` more finished trials; write a line if the last one is old enough."""
        self._count += n
        if time.monotonic() - self._written >= self._interval:
            self._write()

    def close(self) -> None:
        """Write the final line unless it would repeat the last."""
        if self._count != self._shown:
            self._write()

    def _write(self) -> None:
        self._written = time.monotonic()
        self._shown = self._count
        of = "" if self._total is None else f"/{self._total}"
        note = "" if self.postfix is None else f", {self.postfix}"
        seconds = self._written - self._started
        self._stream.write(f"hpspace: {self._count}{of} trials, {seconds:.0f} s{note}\n")
        self._stream.flush()


@contextlib.contextmanager
def no_progress_callback(initial: int, total: int) -> Iterator[Silence]:
    """Show nothing.

    Parameters
    ----------
    initial, total : int
        Trials finished already, trials there will be.

    Yields
    ------
    Silence
        An object whose `update` does nothing.
    """
    yield Silence()


@contextlib.contextmanager
def tqdm_progress_callback(initial: int, total: int) -> Iterator[Progress]:
    """Show tqdm's bar, the notebook's widget, or plain lines, whichever suits where stderr goes.

    Parameters
    ----------
    initial, total : int
        Trials finished already, trials there will be (`sys.maxsize`: no limit).

    Yields
    ------
    Progress
        The bar: set its `postfix`, then call its `update`.
    """
    limit = None if total >= UNLIMITED else total
    if sys.stderr is None:  # a windowed program without a console
        yield Silence()
        return
    with contextlib.closing(Tolerant(lambda: _opened(initial, limit))) as display:
        yield display


class Tolerant:
    """A progress display that falls silent when it cannot be shown any more.

    Parameters
    ----------
    open_display : callable
        Makes what is shown: it has `postfix`, `update` and `close`.
    """

    def __init__(self, open_display: Callable[[], Any]) -> None:
        self._display: Any = None
        self._guarded(lambda: setattr(self, "_display", open_display()))

    @property
    def postfix(self) -> Any:
        """Text shown after the count."""
        return getattr(self._display, "postfix", None)

    @postfix.setter
    def postfix(self, text: Any) -> None:
        self._guarded(lambda: setattr(self._display, "postfix", text))

    def update(self, n: int) -> None:
        """Count `n` more finished trials."""
        self._guarded(lambda: self._display.update(n))

    def close(self) -> None:
        """Show the last state."""
        self._guarded(lambda: self._display.close())

    def __getattr__(self, name: str) -> Any:
        """Whatever else the display can, as tqdm's ``set_description``."""
        if name == "_display":  # not made yet
            raise AttributeError(name)
        return getattr(self._display, name)

    def _guarded(self, action: Callable[[], Any]) -> None:
        try:
            action()
        except (
            OSError,
            ValueError,
            AttributeError,
        ):  # broken pipe; closed file; a stand-in without the method
            if hasattr(self._display, "disable"):
                self._display.disable = True  # else tqdm tries once more when it is deleted
            self._display = Silence()


def _opened(initial: int, limit: int | None) -> Any:
    """Return the display that suits where stderr goes."""
    make_bar = _bar_factory()
    if make_bar is None:
        return PlainLines(sys.stderr, initial, limit)
    # `file=None` is the stderr of this moment, also when a test or a shell has replaced it.
    return make_bar(file=None, initial=initial, total=limit, unit="trial", dynamic_ncols=True)


def _bar_factory() -> Any:
    """Return tqdm's class for where stderr goes, None when that shows no bars or there is no tqdm."""
    try:
        if in_notebook():
            from tqdm.auto import tqdm as notebook_bar

            return notebook_bar
        if _is_terminal(sys.stderr):
            from tqdm import tqdm as terminal_bar

            return terminal_bar
    except ImportError:
        logger.debug("tqdm cannot be imported; progress is shown as lines")
    return None


#: What `show_progressbar=True` means.
default_callback = tqdm_progress_callback


def callback_from(show_progressbar: Any, verbose: bool) -> ProgressCallback:
    """Read fmin's two switches.

    Parameters
    ----------
    show_progressbar : bool or callable
        A callable is used as it is.
    verbose : bool
        False silences the default display, never a callable that the user passed.

    Returns
    -------
    callable
        A progress callback.

    Raises
    ------
    TypeError
        If `show_progressbar` is neither a bool nor callable.
    """
    if callable(show_progressbar):
        return show_progressbar  # type: ignore[no-any-return]
    if show_progressbar not in (True, False, None):
        raise TypeError(
            f"show_progressbar={show_progressbar!r}: pass True, False, or a function "
            "f(initial, total) that returns a context manager"
        )
    return default_callback if show_progressbar and verbose else no_progress_callback


def in_notebook() -> bool:
    """Say whether this process is the kernel of a notebook; never imports IPython."""
    ipython = sys.modules.get("IPython")
    get_ipython = getattr(ipython, "get_ipython", None)
    shell = get_ipython() if get_ipython is not None else None
    return shell is not None and type(shell).__name__ == "ZMQInteractiveShell"


def _is_terminal(stream: Any) -> bool:
    """Tell whether a bar would be seen: tqdm shows nothing on a terminal that says it has no columns."""
    try:
        return bool(stream.isatty()) and _columns(stream) != 0
    except (AttributeError, ValueError):  # a stand-in without the method, or a closed stream
        return False


def _columns(stream: Any) -> int | None:
    """Return how wide the terminal behind a stream is, 0 when it does not say, None when there is none behind it."""
    try:
        return os.get_terminal_size(stream.fileno()).columns
    except (AttributeError, OSError):  # a stand-in for a terminal
        return None
