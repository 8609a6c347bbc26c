"""Door with Hyperopt's name: progress displays live in `hpspace.run.progress`."""

from __future__ import annotations

from hpspace.run.progress import default_callback, no_progress_callback, tqdm_progress_callback

__all__ = ["default_callback", "no_progress_callback", "tqdm_progress_callback"]
