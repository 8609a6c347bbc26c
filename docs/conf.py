"""Sphinx settings: markdown pages by myst-parser, numpydoc docstrings by napoleon, the furo theme.

The build is offline (no inventories are fetched) and treats every warning as an error; a cross-reference
that leads nowhere is one.
"""

from __future__ import annotations

import importlib.metadata

project = "hpspace"
author = "The hpspace developers"
copyright = f"2026, {author}"
release = version = importlib.metadata.version("hpspace")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "examples"]
html_theme = "furo"
html_title = f"hpspace {release}"

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

autosummary_generate = True
autodoc_typehints = "none"  # the numpydoc sections already give the types, with units and shapes
autodoc_member_order = "bysource"
napoleon_google_docstring = False
napoleon_numpy_docstring = True
napoleon_use_rtype = False
napoleon_preprocess_types = False

nitpicky = True
# Types in numpydoc sections are written for readers ("sequence of Fault", "array (n, D)"), and Sphinx takes their
# words for class names. Functions, methods, exceptions and whole addresses must lead somewhere.
nitpick_ignore_regex = [("py:class", r"(?!hpspace\.).*")]
nitpick_ignore = [("py:func", "evaluate")]  # what `rec_eval` is made of; not part of the reference
