"""The Parzen estimators of other libraries, rebuilt from their published formulas, to compare with and to go back to.

`hyperopt` is the model of Hyperopt 0.3, `optuna` the default of Optuna 5. Each works in that library's own
coordinates, the latent line of a distribution, and not in the prior quantiles of `hpspace.suggest.tpe`. What they
share is here once: `kernels` (kernels and mixtures) and `past` (trials, in turn with proposals).

They are rebuilt and not copied: every formula names its source, the tests evaluate the same formulas by loops, and
``tests/benchmarks/published_models.py`` compares the densities with those of the installed libraries. They are not
tuned, not fast, and get no improvements: that is what `tpe` is for. Where these libraries have no answer, for a space
that they cannot express or a law that all algorithms here obey, each module says what was put in its place.
"""
