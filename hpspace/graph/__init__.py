"""Expression graphs: frozen nodes, the functions they name, and how they are built, walked, evaluated and rewritten.

This layer knows what an operation is and nothing else: no probability, no labels, no trials. Its users are the space
compiler and, through the doors in :mod:`hpspace.pyll`, everyone who writes expressions by hand.
"""

from __future__ import annotations

from hpspace.graph import builtins as _builtins  # registers the functions  # noqa: F401
from hpspace.graph.build import as_apply
from hpspace.graph.evaluate import GarbageCollected, evaluate, rec_eval
from hpspace.graph.lambdas import Lambda, apply
from hpspace.graph.node import Literal, Node
from hpspace.graph.primitives import MissingArgument, Primitive, PyllImportError, SymbolTable, scope
from hpspace.graph.rewrite import clone, clone_merge, substitute
from hpspace.graph.show import dump, to_dot
from hpspace.graph.walk import ancestors, clients, dfs, to_networkx, toposort

__all__ = [
    # expressions
    "Node", "Literal", "as_apply", "apply", "Lambda",
    # functions
    "scope", "SymbolTable", "Primitive", "MissingArgument", "PyllImportError",
    # values
    "evaluate", "rec_eval", "GarbageCollected",
    # walks and rewrites
    "dfs", "toposort", "clients", "ancestors", "to_networkx", "clone", "clone_merge", "substitute",
    # text
    "dump", "to_dot",
]  # fmt: skip
