"""Settings shared by the whole suite: random examples are the same in every run."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("hpspace", derandomize=True, database=None, deadline=None)
settings.load_profile("hpspace")
