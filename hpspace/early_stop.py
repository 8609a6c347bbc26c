"""Door with Hyperopt's name: functions for `early_stop_fn` live in `hpspace.run.stopping`."""

from __future__ import annotations

from hpspace.run.stopping import no_progress_loss

__all__ = ["no_progress_loss"]
