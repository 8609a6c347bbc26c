"""Progress displays: where they write, and what they leave alone."""

from __future__ import annotations

import contextlib
import io
import os
import sys

import pytest

from hpspace import fmin, hp
from hpspace.run import progress
from hpspace.run.progress import (
    PlainLines,
    callback_from,
    no_progress_callback,
    tqdm_progress_callback,
)


class Terminal(io.StringIO):
    def isatty(self):
        return True


def search(**kwargs):
    return fmin(lambda x: x, hp.uniform("x", 0, 1), "rand", 3, rstate=0, **kwargs)


def test_the_bar_goes_to_stderr_of_a_terminal(monkeypatch):
    """stdout is for the program's own output (pain 33)."""
    err, out = Terminal(), io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(sys, "stdout", out)
    search()
    assert "3/3" in err.getvalue()
    assert "best loss: " in err.getvalue()
    assert out.getvalue() == ""


def test_the_streams_are_never_replaced(monkeypatch):
    """Hyperopt wraps sys.stdout and sys.stderr during the run, which breaks nested bars and notebooks."""
    err = Terminal()
    monkeypatch.setattr(sys, "stderr", err)
    seen = []
    fmin(lambda x: seen.append((sys.stdout, sys.stderr)) or x, hp.uniform("x", 0, 1), "rand", 1)
    assert seen == [(sys.stdout, err)]


def test_a_log_file_gets_plain_lines(monkeypatch):
    """Carriage returns make one endless line of a log; few whole lines are readable."""
    err = io.StringIO()
    monkeypatch.setattr(sys, "stderr", err)
    search()
    text = err.getvalue()
    assert "\r" not in text
    assert text.startswith("hpspace: 3/3 trials")
    assert text.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of POSIX")
def test_a_terminal_without_a_width_gets_plain_lines(monkeypatch):
    """Containers and build servers give such ones; tqdm would show nothing at all on them."""
    reader, writer = os.openpty()
    with open(reader, "rb", buffering=0) as master, open(writer, "w", encoding="utf-8") as err:
        assert os.get_terminal_size(writer).columns == 0
        monkeypatch.setattr(sys, "stderr", err)
        search()
        err.flush()
        assert b"hpspace: 3/3 trials" in master.read(1000)


def test_plain_lines_come_at_most_every_interval():
    """A fast objective must not fill the log."""
    stream = io.StringIO()
    lines = PlainLines(stream, initial=0, total=None, interval=3600)
    for _ in range(100):
        lines.update(1)
    assert stream.getvalue() == ""
    lines.postfix = "best loss: 0.5"
    lines.close()
    assert stream.getvalue() == "hpspace: 100 trials, 0 s, best loss: 0.5\n"


def test_plain_lines_without_an_interval_come_at_once():
    """The other end of the same clock."""
    stream = io.StringIO()
    lines = PlainLines(stream, initial=2, total=5, interval=0)
    lines.update(1)
    assert stream.getvalue().startswith("hpspace: 3/5 trials")


def test_nothing_is_shown_without_a_stderr(monkeypatch):
    """A windowed program has none."""
    monkeypatch.setattr(sys, "stderr", None)
    assert len(search().trials) == 3


@pytest.mark.parametrize("switch", [{"verbose": False}, {"show_progressbar": False}])
def test_both_switches_silence_the_default(switch, capsys):
    """Either is enough."""
    search(**switch)
    assert capsys.readouterr() == ("", "")


def test_verbose_does_not_silence_a_callable():
    """Who passes a display wants to see it (pain 33)."""
    log = []

    class Display:
        postfix = None

        def update(self, n):
            log.append((n, self.postfix))

    @contextlib.contextmanager
    def callback(initial, total):
        log.append((initial, total))
        yield Display()

    best = search(verbose=False, show_progressbar=callback)
    assert log[0] == (0, 3)
    assert [n for n, _ in log[1:]] == [1, 1, 1]
    assert log[-1][1] == f"best loss: {best.loss}"


def test_a_resumed_run_starts_the_count_where_it_was():
    """`initial` is what is finished already."""
    starts = []

    @contextlib.contextmanager
    def callback(initial, total):
        starts.append((initial, total))
        with no_progress_callback(initial, total) as silence:
            yield silence

    best = search(show_progressbar=callback)
    fmin(lambda x: x, hp.uniform("x", 0, 1), "rand", 5, trials=best.trials, show_progressbar=callback)
    assert starts == [(0, 3), (3, 5)]


def test_a_wrong_switch_is_refused():
    """A string is neither a switch nor a display."""
    with pytest.raises(TypeError, match="show_progressbar='yes'"):
        callback_from("yes", True)


def test_the_context_yields_tqdm_on_a_terminal(monkeypatch):
    """Users of `tqdm_progress_callback` rely on tqdm's own methods."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    with tqdm_progress_callback(initial=0, total=sys.maxsize) as bar:
        assert bar.total is None
        bar.set_description("search")
        assert bar.format_dict["prefix"] == "search: "


def test_a_notebook_is_known_by_its_shell(monkeypatch):
    """A kernel has a ZMQ shell; a plain interpreter has no IPython at all."""

    class ZMQInteractiveShell:
        pass

    class Module:
        get_ipython = staticmethod(ZMQInteractiveShell)

    monkeypatch.setitem(sys.modules, "IPython", Module())
    assert progress.in_notebook()
    monkeypatch.delitem(sys.modules, "IPython")
    assert not progress.in_notebook()


def test_the_total_counts_points_that_come_on_top():
    """Two points and three trials are five: a bar that ends at 5/3 looks like a mistake."""
    totals = []

    @contextlib.contextmanager
    def callback(initial, total):
        totals.append((initial, total))
        with no_progress_callback(initial, total) as silence:
            yield silence

    points = [{"x": 0.25}, {"x": 0.5}]
    best = search(points_to_evaluate=points, show_progressbar=callback)
    assert len(best.trials) == 5
    assert totals == [(0, 5)]
