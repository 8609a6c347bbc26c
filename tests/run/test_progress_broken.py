"""A display that breaks: the run goes on without it."""

from __future__ import annotations

import io
import sys
import types

import pytest

from hpspace import fmin, hp
from hpspace.run import progress

SPACE = {"x": hp.uniform("x", 0, 1)}


class Failing(io.StringIO):
    """A stream that takes `left` writes and then raises."""

    def __init__(self, error, left=0, terminal=False):
        super().__init__()
        self.error, self.left, self.terminal = error, left, terminal

    def isatty(self):
        return self.terminal

    def write(self, text):
        self.left -= 1
        if self.left < 0:
            raise self.error
        return super().write(text)


def run():
    return len(fmin(lambda c: c["x"], SPACE, "rand", 10, rstate=0, show_progressbar=True).trials)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("terminal", [False, True])
@pytest.mark.parametrize("left", [0, 1, 3])
@pytest.mark.parametrize("error", [OSError("disk full"), BrokenPipeError("gone"), ValueError("closed file")])
def test_a_stream_that_fails(monkeypatch, error, left, terminal):
    """From the start, or in the middle of the run."""
    monkeypatch.setattr(progress, "LINE_INTERVAL", 0.0)
    monkeypatch.setattr(sys, "stderr", Failing(error, left, terminal))
    assert run() == 10


@pytest.mark.parametrize("stream", [None, object()])
def test_no_stream_at_all(monkeypatch, stream):
    """A windowed program, or a stand-in that cannot write."""
    monkeypatch.setattr(sys, "stderr", stream)
    assert run() == 10


def test_without_tqdm_there_are_lines(monkeypatch):
    """On a terminal too."""
    stream = Failing(OSError(), left=1000, terminal=True)
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    assert run() == 10
    assert "10/10 trials" in stream.getvalue()


def test_a_stand_in_for_ipython(monkeypatch):
    """A module of that name without its functions is no notebook."""
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    assert not progress.in_notebook()
