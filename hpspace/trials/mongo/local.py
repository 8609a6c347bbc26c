"""Where the server that `hpspace mongo up` starts keeps its data and its address.

`hpspace.run.mongod` writes the address, password and all, into a file that only its owner can read; `url.given` reads
it when no other address is known. So a pool on one machine needs no address on any command line.
"""

from __future__ import annotations

import os
from pathlib import Path

#: Name of the file with the address, in the server's data folder.
ADDRESS = "hpspace.url"


def default_folder() -> Path:
    """Return the data folder of this user's server: below ``$XDG_DATA_HOME``, by default ``~/.local/share``."""
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "hpspace" / "mongodb"


def read_address(file: Path) -> str | None:
    """Return the address in a file, its first line; None if there is no such file."""
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return None
    return lines[0].strip() if lines else None
