"""Hyperopt's ``hyperopt.pyll.base``: nodes, functions and evaluation. They live in `hpspace.graph`.

The classes of nodes are pickled under the names that they have here.
"""

from __future__ import annotations

from hpspace.graph.build import as_apply
from hpspace.graph.builtins import (
    Raise,
    array_union,
    array_union1,
    asarray,
    bincount,
    call,
    call_method,
    call_method_pure,
    callpipe1,
    copy_call_method_pure,
    curtime,
    identity,
    partial,
    pdb_settrace,
    pos_args,
    repeat,
    str_join,
    switch,
    uniq,
)
from hpspace.graph.evaluate import DEFAULT_MAX_PROGRAM_LEN, GarbageCollected, rec_eval
from hpspace.graph.lambdas import Lambda, UndefinedValue, apply, p0, p1, p2, p3, p4
from hpspace.graph.node import Literal
from hpspace.graph.node import Node as Apply
from hpspace.graph.primitives import MissingArgument, PyllImportError, SymbolTable, scope
from hpspace.graph.rewrite import clone, clone_merge
from hpspace.graph.walk import dfs, toposort
from hpspace.space import stochastic as _stochastic  # puts the random draws on scope  # noqa: F401

__all__ = [
    # expressions
    "Apply",
    "Literal",
    "Lambda",
    "UndefinedValue",
    "apply",
    "as_apply",
    "p0",
    "p1",
    "p2",
    "p3",
    "p4",
    # functions
    "MissingArgument",
    "PyllImportError",
    "SymbolTable",
    "scope",
    # evaluation and rewriting
    "DEFAULT_MAX_PROGRAM_LEN",
    "GarbageCollected",
    "clone",
    "clone_merge",
    "dfs",
    "rec_eval",
    "toposort",
    # what some names on scope compute
    "Raise",
    "array_union",
    "array_union1",
    "asarray",
    "bincount",
    "call",
    "call_method",
    "call_method_pure",
    "callpipe1",
    "copy_call_method_pure",
    "curtime",
    "identity",
    "partial",
    "pdb_settrace",
    "pos_args",
    "repeat",
    "str_join",
    "switch",
    "uniq",
]
