"""``python -m hpspace`` is the program ``hpspace``, also where no script of it is on the PATH."""

from __future__ import annotations

import sys

from hpspace.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
