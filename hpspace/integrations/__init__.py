"""Callbacks that let a search stop trainings early: one module for each library, which is imported only when used.

==============  ========================================================================
module          what it offers
==============  ========================================================================
`lightgbm`      ``pruning_callback(metric)`` for ``train``, ``cv`` and the sklearn classes
`xgboost`       ``pruning_callback(metric)`` for ``train``, ``cv`` and the sklearn classes
`catboost`      ``pruning_callback(metric)`` for ``fit``
`keras`         ``pruning_callback(monitor)`` for ``fit``
`lightning`     ``pruning_callback(monitor)`` for the ``Trainer``
`ignite`        ``pruning_callback(trainer, metric)`` for the evaluator's events
`skorch`        ``pruning_callback(monitor)`` for a net
`fastai`        ``pruning_callback(monitor)`` for a ``Learner``
`sklearn`       ``fit_in_parts`` and ``cross_validated``: the loops that sklearn leaves out
==============  ========================================================================

Inside an objective nothing else is needed: a callback finds the running trial by itself, reports a metric after each
step, and ends the trial by `hpspace.TrialPruned` when the pruner of the search says so. Where no trial is running, when
the training function is tried out by hand, it does nothing. Parallel trainings of one model in several processes (DDP)
are not supported: what runs in the other processes is no trial.

All share `hpspace.integrations.link`. The libraries' own early stopping goes together with these callbacks.
"""
