"""Names of the package whose modules are imported when somebody asks for them.

`import hpspace` is to cost hardly more than `import numpy`; stores and engines that most programs do without wait.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any


def late(name: str, modules: Mapping[str, str]) -> Any:
    """Return an attribute of the package that is imported late.

    Parameters
    ----------
    name : str
        The attribute.
    modules : mapping
        The module of each that there is.

    Raises
    ------
    AttributeError
        There is none of that name.

    Examples
    --------
    >>> late("pi", {"pi": "math"})
    3.141592653589793
    """
    if name not in modules:
        raise AttributeError(f"module 'hpspace' has no attribute {name!r}")
    return getattr(importlib.import_module(modules[name]), name)
