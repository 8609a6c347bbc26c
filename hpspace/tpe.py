"""Door with Hyperopt's name: the tree-structured Parzen estimator lives in `hpspace.suggest.tpe`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from hpspace.run import bridge
from hpspace.suggest.tpe.algorithm import TPE

__all__ = ["DEFAULT_LF", "suggest"]

#: Defaults under the names that Hyperopt's users read. Hyperopt's gamma; the default here is None, see `TPE`.
_default_gamma = 0.25
_default_prior_weight = TPE.prior_weight
_default_n_EI_candidates = TPE.n_EI_candidates  # noqa: N816
_default_n_startup_jobs = TPE.n_startup_jobs
_default_linear_forgetting = DEFAULT_LF = 25  # Hyperopt's; forgetting by age is not used here


def suggest(
    new_ids: Sequence[Any],
    domain: Any,
    trials: Any,
    seed: int,
    prior_weight: float = TPE.prior_weight,
    n_startup_jobs: int = TPE.n_startup_jobs,
    n_EI_candidates: int = TPE.n_EI_candidates,
    gamma: float | None = TPE.gamma,
    verbose: bool = TPE.verbose,
    *,
    joint_weight: float = TPE.joint_weight,
    min_bandwidth: float = TPE.min_bandwidth,
    good_weights: Literal["improvement", "uniform"] = TPE.good_weights,
    avoid_repeats: bool = TPE.avoid_repeats,
    explore_options: float = TPE.explore_options,
) -> list[dict[str, Any]]:
    """Propose what good trials have and others do not; see `hpspace.suggest.tpe.algorithm.TPE`."""
    return bridge.suggest(
        TPE(
            prior_weight=prior_weight,
            n_startup_jobs=n_startup_jobs,
            n_EI_candidates=n_EI_candidates,
            gamma=gamma,
            verbose=verbose,
            joint_weight=joint_weight,
            min_bandwidth=min_bandwidth,
            good_weights=good_weights,
            avoid_repeats=avoid_repeats,
            explore_options=explore_options,
        ),
        new_ids,
        domain,
        trials,
        seed,
    )
