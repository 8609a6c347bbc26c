"""Run every benchmark and print them as the Markdown of ``docs/benchmarks.md``."""

from __future__ import annotations

import os
import platform

import import_time
import profile_suggest
import sampling
import suggestion_time
from common import installed, version, wants_quick

SECTIONS = {
    "Import": import_time,
    "Sampling": sampling,
    "Suggestions": suggestion_time,
    "Where the time of a suggestion goes": profile_suggest,
}


def setting() -> str:
    """Say what was measured: versions, interpreter, cores."""
    names = ["numpy", *installed(["hpspace", *suggestion_time.PEERS])]
    libraries = ", ".join(f"{name} {version(name)}" for name in names)
    return f"{libraries}; Python {platform.python_version()}, {os.cpu_count()} cores."


if __name__ == "__main__":
    quick = wants_quick(__doc__)
    print(f"Measured in one run: {setting()}")
    for title, benchmark in SECTIONS.items():
        print(f"\n## {title}\n\n{benchmark.report(quick)}", flush=True)
