"""What holds of tpe's densities in any space."""

from __future__ import annotations

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hpspace import compile_space
from hpspace.history import FAILED, OK, PENDING, PRUNED, History
from hpspace.suggest.tpe.algorithm import TPE, layout_of
from hpspace.suggest.tpe.evidence import _observed
from hpspace.suggest.tpe.layout import Points
from hpspace.suggest.tpe.parzen import Parzen, prior_density
from hpspace.suggest.tpe.split import split, tenth
from hpspace.testing.spaces import spaces

seeds = st.integers(0, 2**32 - 1)


def searched(compiled, n, seed, kinds=(OK,)):
    history = History(compiled)
    values = compiled.sample(seed, n).values
    losses = np.nansum((compiled.encode(values) - 0.3) ** 2, axis=1)
    history.append(values, losses, np.random.default_rng(seed).choice(kinds, n))
    return history


@settings(max_examples=40)
@given(spaces(), seeds)
def test_the_tables_of_many_trials_are_the_density_that_they_stand_for(space, seed):
    """By brute force, with the same bandwidths, within the bounds that the module `background` states."""
    compiled = compile_space(space)
    assume(len(compiled))
    history, layout = searched(compiled, 100, seed), layout_of(compiled)
    parts = split(history, tenth, True)
    quick = TPE().densities(compiled, history)[
        1
    ]  # with 100 trials all are settled, and each bad one is a kernel
    points = _observed(layout, history, parts.bad)
    sigma = np.repeat(quick.tables.sigma(quick.settled.widths[0].levels)[:, None], len(parts.bad), axis=1)
    sigma[layout.reals :] = np.maximum(sigma[layout.reals :], 0.5 * (points.high - points.low))
    exact = Parzen(layout, points, np.ones(len(parts.bad)), sigma, quick.settled.spread, 1.0)
    drawn = compiled.sample(seed + 1, 50).values
    at = Points.of(layout, compiled.encode(drawn), compiled.bins(drawn))
    got, expected = quick.at(at), exact.at(at)
    apart = np.abs(got.log_marginals - expected.log_marginals)
    gap = expected.log_marginals < np.log(prior_density(layout, at)) - np.log(3.0)
    assert apart[~gap].max(initial=0.0) < 0.03
    assert apart.max() < 0.07
    assert np.abs(got.log_joint - expected.log_joint).max() < 0.03


@settings(max_examples=25)
@given(spaces(), seeds)
def test_proposals_do_not_depend_on_how_the_history_came_to_be(space, seed):
    """Row by row, with proposals in between, or at once; some trials failed, are pending or were pruned."""
    compiled = compile_space(space)
    assume(len(compiled))
    whole = searched(compiled, 240, seed, (OK, OK, OK, FAILED, PENDING, PRUNED))
    grown, algorithm = History(compiled), TPE(trend_trials=0)
    for row in range(240):
        one = slice(row, row + 1)
        grown.append(whole.values[one], whole.losses[one], whole.kind[one])
        if row % 19 == 0 or row > 234:
            algorithm.propose(compiled, grown, 1, np.random.default_rng(row))
    first, second = (
        algorithm.propose(compiled, history, 3, np.random.default_rng(seed)).values
        for history in (whole, grown)
    )
    np.testing.assert_array_equal(first, second)
