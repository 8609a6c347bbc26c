"""The figures, judged by what is drawn: positions of points, colours, scales and labels of the artists.

All on the Agg backend, so without a display; warnings are errors, which also covers "nothing is shown on it".
"""

from __future__ import annotations

import logging
import pickle
import sys

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgba

from hpspace import hp, plotting
from hpspace.exceptions import MissingExtra
from hpspace.space.compile import compile_space
from hpspace.trials.document import (
    JOB_STATE_CANCEL,
    JOB_STATE_DONE,
    JOB_STATE_ERROR,
    JOB_STATE_NEW,
    JOB_STATE_RUNNING,
    new_document,
)
from hpspace.trials.trials import Trials


@pytest.fixture(autouse=True)
def plt():
    """Pyplot on Agg, with no figure open before and after."""
    matplotlib.use("Agg")
    from matplotlib import pyplot

    pyplot.close("all")
    yield pyplot
    pyplot.close("all")


def document(tid, point, result, state=JOB_STATE_DONE):
    doc = new_document(tid, point, labels=["x", "n", "c"])
    doc["state"], doc["result"] = state, result
    return doc


def ok(loss):
    return {"status": "ok", "loss": loss}


def make_trials(docs, space=None):
    trials = Trials()
    trials.insert_trial_docs(docs)
    trials.refresh()
    if space is not None:
        trials.remember_space(compile_space(space))
    return trials


@pytest.fixture
def mixed():
    """Every outcome there is; three usable losses (trials 0, 2 and 7), the last one the best."""
    return make_trials(
        [
            document(0, {"x": 0.1, "n": 1.0}, ok(3.0)),
            document(1, {"x": 0.2, "n": 2.0}, {"status": "fail", "loss": -99.0}),
            document(2, {"x": 0.3, "n": 3.0}, ok(5.0)),
            document(3, {"x": 0.4}, ok(float("nan"))),
            document(4, {"x": 0.5}, {"status": "new"}, JOB_STATE_ERROR),
            document(5, {"x": 0.6}, {"status": "new"}, JOB_STATE_NEW),
            document(6, {"x": 0.7}, ok(float("inf"))),
            document(7, {"x": 0.8, "n": 4.0}, ok(1.0)),
            document(8, {"x": 0.9}, {"status": "new"}, JOB_STATE_RUNNING),
            document(9, {"x": 1.0}, {"status": "new"}, JOB_STATE_CANCEL),
        ]
    )


def points(collection):
    return [tuple(map(float, xy)) for xy in collection.get_offsets()]


def by_label(ax):
    return dict(zip(*reversed(ax.get_legend_handles_labels())))


def panel(figure, label):
    (ax,) = [ax for ax in figure.axes if ax.get_title() == label]
    return ax


def test_history_shows_each_usable_loss_at_its_trial(mixed):
    ax = plotting.main_plot_history(mixed, do_show=False)
    assert points(by_label(ax)["ok"]) == [(0.0, 3.0), (2.0, 5.0), (7.0, 1.0)]


def test_history_marks_trials_without_a_loss_at_the_lower_edge(mixed):
    """Failed (whatever its loss says), NaN, raised, infinite; pending and cancelled ones are not marked."""
    ax = plotting.main_plot_history(mixed, do_show=False)
    marks = by_label(ax)["no loss"]
    assert [x for x, _ in points(marks)] == [1.0, 3.0, 4.0, 6.0]
    _, y = ax.transAxes.inverted().transform(marks.get_offset_transform().transform(marks.get_offsets())).T
    assert (y > 0).all()
    assert (y < 0.05).all()


def test_history_draws_the_best_so_far_as_a_staircase(mixed):
    line = by_label(plotting.main_plot_history(mixed, do_show=False))["best so far"]
    assert line.get_drawstyle() == "steps-post"
    assert line.get_xydata().tolist() == [[0, 3], [2, 3], [7, 1]]


def test_history_draws_and_logs_the_average_best_error(mixed, caplog, capsys):
    """By the logger: nothing is printed."""
    with caplog.at_level(logging.INFO, logger="hpspace"):
        ax = plotting.main_plot_history(mixed, do_show=False, title="My search")
    assert by_label(ax)["average best error 1"].get_ydata() == [1.0, 1.0]
    assert "average best error: 1" in caplog.text
    assert capsys.readouterr().out == ""
    assert (ax.get_title(), ax.get_xlabel(), ax.get_ylabel()) == ("My search", "trial", "loss")


def test_history_takes_colours_for_some_statuses(mixed):
    labelled = by_label(plotting.main_plot_history(mixed, do_show=False, status_colors={"fail": "black"}))
    assert tuple(labelled["no loss"].get_facecolor()[0]) == to_rgba("black")
    assert tuple(labelled["ok"].get_facecolor()[0]) == to_rgba(plotting.default_status_colors["ok"])


def test_history_of_trials_that_all_failed():
    """One mark, no line, no exception."""
    trials = make_trials([document(0, {"x": 0.1}, {"status": "fail"})])
    ax = plotting.main_plot_history(trials, do_show=False)
    assert list(by_label(ax)) == ["no loss"]
    assert len(ax.lines) == 0
    assert points(by_label(ax)["no loss"])[0][0] == 0.0


def test_history_tells_pruned_trials_from_failed_ones():
    """Trial 1 was ended by a pruner, trial 2 failed."""
    pruned = {"status": "pruned", "last_step": 3, "last_value": 0.5, "reason": "r"}
    trials = make_trials(
        [document(0, {}, ok(1.0)), document(1, {}, pruned), document(2, {}, {"status": "fail"})]
    )
    labelled = by_label(plotting.main_plot_history(trials, do_show=False))
    assert [x for x, _ in points(labelled["pruned"])] == [1.0]
    assert [x for x, _ in points(labelled["no loss"])] == [2.0]


def test_history_with_ids_that_are_no_numbers_counts_positions():
    trials = make_trials([document("b", {"x": 0.1}, ok(2.0)), document("a", {"x": 0.2}, ok(1.0))])
    ax = plotting.main_plot_history(trials, do_show=False)
    assert points(by_label(ax)["ok"]) == [(0.0, 2.0), (1.0, 1.0)]


@pytest.mark.parametrize("plot", [plotting.main_plot_history, plotting.main_plot_histogram])
def test_empty_trials_make_an_empty_figure(plot):
    ax = plot(Trials(), do_show=False)
    assert not ax.collections
    assert not ax.patches
    assert ax.get_title()


def test_histogram_counts_the_usable_losses(mixed):
    ax = plotting.main_plot_histogram(mixed, do_show=False)
    assert sum(bar.get_height() for bar in ax.patches) == 3
    left, right = (
        min(bar.get_x() for bar in ax.patches),
        max(bar.get_x() + bar.get_width() for bar in ax.patches),
    )
    assert (left, right) == (1.0, 5.0)
    assert ax.get_xlabel() == "loss (3 ok, 4 without a loss)"
    assert ax.get_title() == "Loss Histogram"


def test_histogram_with_an_outlier_stays_small():
    """A diverged run among tight ones: bins chosen by the spread would be billions."""
    losses = [*np.random.default_rng(0).normal(size=1000), 1e12]
    trials = make_trials([document(tid, {"x": 0.5}, ok(float(loss))) for tid, loss in enumerate(losses)])
    ax = plotting.main_plot_histogram(trials, do_show=False)
    assert len(ax.patches) < 20
    assert sum(bar.get_height() for bar in ax.patches) == 1001


def test_vars_of_many_parameters_grows_instead_of_overlapping(plt, tmp_path):
    """Sixty panels are laid out without a warning from matplotlib."""
    docs = [new_document(0, {f"p{i}": float(i) for i in range(60)})]
    docs[0]["state"], docs[0]["result"] = JOB_STATE_DONE, ok(1.0)
    figure = plotting.main_plot_vars(make_trials(docs), do_show=False)
    plt.savefig(tmp_path / "many.png", dpi=20)
    bottoms = sorted({round(ax.get_position().y0, 3) for ax in figure.axes})
    assert len(bottoms) == 12
    assert all(ax.get_position().height > 0.02 for ax in figure.axes)


def test_vars_draws_one_panel_a_label_with_its_active_values(mixed):
    """n is active in four of the trials that are over; c, which no trial has, gets no panel."""
    figure = plotting.main_plot_vars(mixed, do_show=False)
    assert [ax.get_title() for ax in figure.axes] == ["x", "n"]
    failed, good = panel(figure, "n").collections
    assert sorted(points(good)) == [(0.0, 1.0), (2.0, 3.0), (7.0, 4.0)]
    assert points(failed) == [(1.0, 2.0)]


def test_vars_colours_by_loss_with_the_same_limits_everywhere(mixed):
    figure = plotting.main_plot_vars(mixed, do_show=False)
    for label in ("x", "n"):
        good = panel(figure, label).collections[-1]
        assert sorted(good.get_array()) == [1.0, 3.0, 5.0]
        assert good.get_clim() == (1.0, 5.0)


def test_vars_colours_only_so_many_best(mixed):
    others, _, best = panel(plotting.main_plot_vars(mixed, do_show=False, colorize_best=1), "x").collections
    assert points(best) == [(7.0, 0.8)]
    assert sorted(points(others)) == [(0.0, 0.1), (2.0, 0.3)]
    assert tuple(others.get_facecolor()[0]) == to_rgba("0.8")


def test_vars_arranged_by_loss_leaves_out_what_has_none(mixed):
    ax = panel(plotting.main_plot_vars(mixed, do_show=False, arrange_by_loss=True), "x")
    (good,) = ax.collections
    assert sorted(points(good)) == [(1.0, 0.8), (3.0, 0.1), (5.0, 0.3)]
    assert ax.get_xlabel() == "loss"


def test_vars_fills_rows_of_so_many_columns():
    docs = [new_document(0, {f"p{i}": float(i) for i in range(5)})]
    docs[0]["state"], docs[0]["result"] = JOB_STATE_DONE, ok(1.0)
    figure = plotting.main_plot_vars(make_trials(docs), do_show=False, columns=2, fontsize=7)
    grid = figure.axes[0].get_subplotspec().get_gridspec()
    assert (grid.nrows, grid.ncols, len(figure.axes)) == (3, 2, 5)
    assert figure.axes[0].title.get_fontsize() == 7


def test_vars_of_empty_trials_is_an_empty_figure():
    assert plotting.main_plot_vars(Trials(), do_show=False).axes == []


def test_vars_does_not_draw_over_an_earlier_figure(mixed):
    first = plotting.main_plot_history(mixed, do_show=False).figure
    assert plotting.main_plot_vars(mixed, do_show=False) is not first


SPACE = {
    "rate": hp.loguniform("rate", -7, 0),
    "catalog": hp.uniform("catalog", 0, 1),
    "units": hp.qloguniform("units", -2, 3, 1),
    "width": hp.float("width", 0.001, 1.0, log=True),
    "count": hp.int("count", 1, 1000, log=True),
    "scaled": hp.lognormal("scaled", 0, hp.uniform("spread", 1, 2)),
    "net": hp.choice("net", ["cnn", {"kind": "mlp", "depth": hp.randint("depth", 1, 4)}]),
}


def spaced_trials(known):
    docs = []
    for tid in range(3):
        point = {
            "rate": 0.001 * 10**tid,
            "catalog": 0.5,
            "units": float(tid),
            "width": 0.1,
            "count": 10,
            "scaled": 1.5,
            "spread": 1.2,
            "net": tid % 2,
            **({"depth": 2} if tid % 2 else {}),
        }
        doc = new_document(tid, point)
        doc["state"], doc["result"] = JOB_STATE_DONE, ok(float(tid))
        docs.append(doc)
    return make_trials(docs, SPACE if known else None)


def test_vars_with_a_known_space_has_log_axes_where_logs_are_declared():
    """Not where the label says so ("catalog"); a grid that holds 0 is linear around it."""
    figure = plotting.main_plot_vars(spaced_trials(known=True), do_show=False)
    scales = {ax.get_title(): ax.get_yscale() for ax in figure.axes}
    assert scales == {
        "rate": "log",
        "catalog": "linear",
        "units": "symlog",
        "width": "log",
        "count": "log",
        "scaled": "log",
        "spread": "linear",
        "net": "linear",
        "depth": "linear",
    }


def test_vars_without_a_space_goes_by_the_label():
    figure = plotting.main_plot_vars(spaced_trials(known=False), do_show=False)
    scales = {ax.get_title(): ax.get_yscale() for ax in figure.axes}
    assert scales["catalog"] == "log"
    assert scales["rate"] == "linear"


def test_vars_draws_values_not_their_logarithms():
    ax = panel(plotting.main_plot_vars(spaced_trials(known=True), do_show=False), "rate")
    assert sorted(y for _, y in points(ax.collections[-1])) == pytest.approx([0.001, 0.01, 0.1])


def test_vars_names_the_options_of_a_choice():
    ax = panel(plotting.main_plot_vars(spaced_trials(known=True), do_show=False), "net")
    names = [tick.get_text() for tick in ax.get_yticklabels()]
    assert names[0] == "cnn"
    assert len(names) == 2


def test_vars_takes_the_order_of_the_space():
    trials = spaced_trials(known=True)
    figure = plotting.main_plot_vars(trials, do_show=False)
    assert [ax.get_title() for ax in figure.axes] == list(trials.space.labels)


@pytest.fixture
def curves(mixed):
    """Trial i has the curve [i, i + 1]; trial 1 failed, and trial 2's attachment is a matrix."""
    for doc in mixed.trials[:4]:
        tid = doc["tid"]
        curve = np.ones((2, 2)) if tid == 2 else np.array([[tid, tid + 1]])
        mixed.trial_attachments(doc)["curve"] = pickle.dumps(curve)
    mixed.trial_attachments(mixed.by_tid(7))["curve"] = [7, 8]
    return mixed


def test_attachments_are_drawn_worst_first_and_the_best_in_front(curves, caplog):
    """Pickled or plain, squeezed; the matrix is skipped with a warning."""
    ax = plotting.main_plot_1D_attachment(curves, "curve", do_show=False)
    drawn = [line.get_ydata().tolist() for line in ax.lines]
    assert drawn[-2:] == [[0, 1], [7, 8]]
    assert sorted(drawn) == [[0, 1], [1, 2], [3, 4], [7, 8]]
    assert "attachment 'curve' of trial 2 is not one-dimensional" in caplog.text
    assert ax.get_title() == "curve"


def test_attachments_are_darker_the_lower_the_loss(curves):
    lines = plotting.main_plot_1D_attachment(
        curves, "curve", do_show=False, max_darkness=0.8, line_width=2
    ).lines
    greys = [float(line.get_color()) for line in lines]
    assert greys == sorted(greys, reverse=True)
    assert greys[-1] == pytest.approx(0.2)
    assert {line.get_linewidth() for line in lines} == {2}


def test_attachments_may_have_the_usual_colours(curves):
    lines = plotting.main_plot_1D_attachment(curves, "curve", do_show=False, colorize_by_loss=False).lines
    assert len({line.get_color() for line in lines}) == 4


def test_attachments_can_be_thinned_over_the_losses(curves):
    """Two of four: the best, and the first of those without a loss."""
    curves.attachments.pop("ATTACH::2::curve")
    lines = plotting.main_plot_1D_attachment(curves, "curve", do_show=False, num_trails=2).lines
    assert [line.get_ydata().tolist() for line in lines] == [[1, 2], [7, 8]]


def test_attachments_are_preprocessed(curves):
    lines = plotting.main_plot_1D_attachment(
        curves, "curve", do_show=False, preprocessing_fn=np.negative
    ).lines
    assert lines[-1].get_ydata().tolist() == [-7, -8]


def test_an_attachment_that_no_trial_has_is_an_empty_figure(mixed):
    assert len(plotting.main_plot_1D_attachment(mixed, "nothing", do_show=False).lines) == 0


CALLS = {
    "history": lambda trials, **kw: plotting.main_plot_history(trials, **kw),
    "histogram": lambda trials, **kw: plotting.main_plot_histogram(trials, **kw),
    "vars": lambda trials, **kw: plotting.main_plot_vars(trials, **kw),
    "attachment": lambda trials, **kw: plotting.main_plot_1D_attachment(trials, "curve", **kw),
}

every_plot = pytest.mark.parametrize("plot", CALLS.values(), ids=CALLS)


@every_plot
def test_the_figure_stays_the_current_one_so_that_it_can_be_saved(plot, mixed, plt, tmp_path):
    """As existing programs do: do_show=False, then pyplot.savefig."""
    drawn = plot(mixed, do_show=False)
    assert plt.gcf() is (drawn if hasattr(drawn, "add_subplot") else drawn.figure)
    plt.savefig(tmp_path / "figure.png")
    assert (tmp_path / "figure.png").stat().st_size > 1000


@every_plot
def test_showing_is_left_out_where_the_backend_cannot(plot, mixed, caplog):
    """On Agg pyplot.show would warn; the log says why nothing appears."""
    with caplog.at_level(logging.INFO, logger="hpspace"):
        plot(mixed, do_show=True)
    assert "the figure is not shown" in caplog.text


@every_plot
def test_showing_happens_only_when_asked_for(plot, mixed, plt, monkeypatch):
    shown = []
    monkeypatch.setattr(plt, "show", lambda: shown.append(1))
    monkeypatch.setattr(plt, "get_backend", lambda: "TkAgg")
    plot(mixed, do_show=False)
    assert shown == []
    plot(mixed, do_show=True)
    assert shown == [1]


@every_plot
def test_plots_leave_the_trials_alone(plot, mixed):
    before = pickle.dumps(mixed.documents())
    plot(mixed, do_show=False)
    assert pickle.dumps(mixed.documents()) == before


@pytest.mark.parametrize("name", ["history", "histogram", "attachment"])
def test_plots_draw_on_given_axes(name, mixed, plt):
    _, (left, right) = plt.subplots(1, 2)
    assert CALLS[name](mixed, do_show=False, ax=left) is left
    assert right.get_title() == ""


@every_plot
def test_without_matplotlib_the_extra_is_named(plot, mixed, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(MissingExtra, match=r"hpspace\[matplotlib\]"):
        plot(mixed, do_show=False)
