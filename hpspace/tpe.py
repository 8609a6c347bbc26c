"""Door with Hyperopt's name: the tree-structured Parzen estimator lives in `hpspace.suggest.tpe`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from hpspace.run import bridge
from hpspace.run.reasons import explain
from hpspace.suggest.tpe.algorithm import TPE, configured
from hpspace.suggest.tpe.published.hyperopt import Hyperopt03
from hpspace.suggest.tpe.published.optuna import Optuna5

__all__ = ["DEFAULT_LF", "explain", "hyperopt03", "optuna5", "suggest"]

#: Defaults under the names that Hyperopt's users read. Hyperopt's gamma; the default here is None, see `TPE`.
_default_gamma = 0.25
_default_prior_weight = TPE.prior_weight
_default_n_EI_candidates = 24  # noqa: N816  Hyperopt's; the default here is None, see `TPE`
_default_n_startup_jobs = TPE.n_startup_jobs
_default_linear_forgetting = DEFAULT_LF = 25  # Hyperopt's; forgetting by age is not used by `suggest`


def suggest(
    new_ids: Sequence[Any],
    domain: Any,
    trials: Any,
    seed: int,
    prior_weight: float = TPE.prior_weight,
    n_startup_jobs: int = TPE.n_startup_jobs,
    n_EI_candidates: int | None = TPE.n_EI_candidates,
    gamma: float | None = TPE.gamma,
    verbose: bool = TPE.verbose,
    *,
    joint_weight: float = TPE.joint_weight,
    min_bandwidth: float = TPE.min_bandwidth,
    good_weights: Literal["improvement", "uniform"] = TPE.good_weights,
    avoid_repeats: bool = TPE.avoid_repeats,
    explore_options: float = TPE.explore_options,
    trend_trials: int = TPE.trend_trials,
) -> list[dict[str, Any]]:
    """Propose what good trials have and others do not; see `hpspace.suggest.tpe.algorithm.TPE`."""
    return bridge.suggest(
        configured(
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
            trend_trials=trend_trials,
        ),
        new_ids,
        domain,
        trials,
        seed,
    )


def hyperopt03(
    new_ids: Sequence[Any],
    domain: Any,
    trials: Any,
    seed: int,
    prior_weight: float = Hyperopt03.prior_weight,
    n_startup_jobs: int = Hyperopt03.n_startup_jobs,
    n_EI_candidates: int = Hyperopt03.n_EI_candidates,
    gamma: float = Hyperopt03.gamma,
    verbose: bool = Hyperopt03.verbose,
    *,
    LF: int = Hyperopt03.LF,
) -> list[dict[str, Any]]:
    """Propose by the model of Hyperopt 0.3; see `hpspace.suggest.tpe.published.hyperopt.Hyperopt03`."""
    algorithm = Hyperopt03(
        prior_weight=prior_weight,
        n_startup_jobs=n_startup_jobs,
        n_EI_candidates=n_EI_candidates,
        gamma=gamma,
        verbose=verbose,
        LF=LF,
    )
    return bridge.suggest(algorithm, new_ids, domain, trials, seed)


def optuna5(
    new_ids: Sequence[Any],
    domain: Any,
    trials: Any,
    seed: int,
    prior_weight: float = Optuna5.prior_weight,
    n_startup_jobs: int = Optuna5.n_startup_jobs,
    n_EI_candidates: int = Optuna5.n_EI_candidates,
    gamma: float = Optuna5.gamma,
    verbose: bool = Optuna5.verbose,
    *,
    LF: int = Optuna5.LF,
    multivariate: bool = Optuna5.multivariate,
    constant_liar: bool = Optuna5.constant_liar,
    consider_endpoints: bool = Optuna5.consider_endpoints,
    consider_magic_clip: bool = Optuna5.consider_magic_clip,
) -> list[dict[str, Any]]:
    """Propose by the default model of Optuna 5; see `hpspace.suggest.tpe.published.optuna.Optuna5`."""
    algorithm = Optuna5(
        prior_weight=prior_weight,
        n_startup_jobs=n_startup_jobs,
        n_EI_candidates=n_EI_candidates,
        gamma=gamma,
        verbose=verbose,
        LF=LF,
        multivariate=multivariate,
        constant_liar=constant_liar,
        consider_endpoints=consider_endpoints,
        consider_magic_clip=consider_magic_clip,
    )
    return bridge.suggest(algorithm, new_ids, domain, trials, seed)
