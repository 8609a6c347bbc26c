"""A compiled space as JSON: what is stored beside trials, and how two spaces differ.

Objects in a space that JSON cannot hold are described by what they are called (a function's or class's qualified
name), never by a memory address, so descriptions, and the fingerprint that is a hash of them, are equal in every
process.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from hpspace.graph.evaluate import evaluate
from hpspace.graph.node import Literal, Node
from hpspace.space.faults import builder_name, label_of
from hpspace.space.fidelity import Fidelity, is_fidelity
from hpspace.space.params import NO_DEFAULT, Param, describe_conditions

if TYPE_CHECKING:
    from hpspace.space.compiled import CompiledSpace

#: Version of the JSON description; raised when its keys change meaning.
FORMAT = 1

#: Objects are shown with at most this many characters.
_WIDTH = 60


def items(node: Node) -> list[tuple[str, Node]]:
    """Return the parts of a container's node with their keys or positions."""
    if node.name == "dict" and node.args:
        return [(short(evaluate(pair.args[0])), pair.args[1]) for pair in node.args[0].args]
    if node.name == "dict":
        return [(key, child) for key, child in node.named_args]
    if node.name == "namedtuple" and isinstance(node.args[0], Literal):
        return list(zip(node.args[0].obj._fields, node.args[1:]))
    return [(str(i), child) for i, child in enumerate(node.args)]


def arguments(param: Param) -> dict[str, Any]:
    """Return the arguments of a parameter's distribution, which is fixed, by name."""
    assert param.dist is not None  # asked for by the caller
    return {p.name: getattr(param.dist, p.name) for p in param.dist.parameters()}


def short(obj: Any) -> str:
    """Return an object's name or repr, cut to 60 characters."""
    described = constant(obj)
    text = repr(described) if not isinstance(described, dict) else str(described.get("object", described))
    return text if len(text) <= _WIDTH else text[: _WIDTH - 3] + "..."


def constant(obj: Any) -> Any:
    """Return a description of a constant that JSON can hold and that is the same in every process.

    Parameters
    ----------
    obj : object
        A constant of a space.

    Returns
    -------
    object
        Plain numbers, texts, None and containers of such as they are; anything else as ``{"object": name}``.
    """
    if obj is None or isinstance(obj, (bool, int, str)):
        return obj
    if isinstance(obj, float):
        return obj if math.isfinite(obj) else {"object": repr(obj)}
    if isinstance(obj, (list, tuple)):
        return [constant(item) for item in obj]
    if isinstance(obj, Mapping):
        return {str(key): constant(value) for key, value in obj.items()}
    if isinstance(obj, (set, frozenset)):  # whose own order is another in each process
        return {"object": f"{type(obj).__name__}{sorted(short(item) for item in obj)}"}
    text = _repr(obj)
    if text and " at 0x" not in text and len(text) <= 4 * _WIDTH:
        return {"object": text}
    return {"object": _name(obj) or _name(type(obj))}


def _repr(obj: Any) -> str:
    try:
        return repr(obj)
    except Exception:  # noqa: BLE001  a broken __repr__ is no reason to refuse a space
        return ""


def _name(obj: Any) -> str:
    """Return the qualified name of a class or function, "" for anything else."""
    try:
        parts = obj.__module__, obj.__qualname__
    except Exception:  # noqa: BLE001  constants may answer such questions in whatever way they like
        return ""
    return ".".join(parts) if all(isinstance(part, str) for part in parts) else ""


def structure(space: CompiledSpace) -> Any:
    """Return the space with parameters and expressions replaced by descriptions."""
    return _structure(space.expr)


def _structure(node: Node) -> Any:
    if isinstance(node, Literal):
        return constant(node.obj)
    if node.name == "hyperopt_param":
        return {"param": label_of(node)}
    if is_fidelity(node):
        return {"fidelity": label_of(node)}
    if node.name in ("int", "float") and len(node.args) == 1 and node.args[0].name == "hyperopt_param":
        return {"param": label_of(node.args[0]), "as": node.name}
    if node.name in ("dict", "namedtuple", "pos_args", "list"):
        parts = {str(key): _structure(child) for key, child in items(node)}
        return {"dict": parts} if node.name in ("dict", "namedtuple") else list(parts.values())
    if node.name == "switch":
        return {"switch": _structure(node.args[0]), "options": [_structure(arg) for arg in node.args[1:]]}
    call = {"call": node.name, "args": [_structure(arg) for arg in node.args]}
    named = {key: _structure(child) for key, child in node.named_args}
    return {**call, "kwargs": named} if named else call


def to_json(space: CompiledSpace) -> dict[str, Any]:
    """Return the JSON description; see `CompiledSpace.to_json`."""
    size = space.cardinality()
    described = {
        "format": FORMAT,
        "cardinality": None if size == math.inf else size,
        "params": {p.label: param_json(p) for p in space.params},
        "structure": structure(space),
    }
    return described if space.fidelity is None else {**described, "fidelity": fidelity_json(space.fidelity)}


def fidelity_json(fidelity: Fidelity) -> dict[str, Any]:
    """Return the description of the resource."""
    return {name: getattr(fidelity, name) for name in ("label", "low", "high", "eta", "path")}


def param_json(param: Param) -> dict[str, Any]:
    """Return the description of one parameter."""
    if param.dist is not None:
        given = {name: constant(value) for name, value in arguments(param).items()}
    else:
        given = {name: _structure(node) for name, node in param.arguments.items()}
    described: dict[str, Any] = {
        "distribution": param.name,
        "arguments": given,
        "kind": param.kind,
        "path": param.path,
        "conditions": [[list(clause) for clause in clauses] for clauses in param.conditions],
    }
    if param.options is not None:
        described["options"] = [constant(option) for option in param.options]
    if param.default is not NO_DEFAULT:
        described["default"] = constant(param.default)
    return described


def fingerprint(space: CompiledSpace) -> str:
    """Return the hash of the description; see `CompiledSpace.fingerprint`."""
    canonical = json.dumps(to_json(space), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Say how two descriptions differ in what a trial records.

    Parameters
    ----------
    old, new : mapping
        Descriptions made by `to_json`.

    Returns
    -------
    list of str
        One sentence a parameter that was added, removed or changed; empty when none was. Defaults and places do
        not count: they do not change what a recorded value means.
    """
    before, after = old["params"], new["params"]
    said = [f"{label!r} was removed" for label in before if label not in after]
    said += [f"{label!r} is new ({_law_text(after[label])})" for label in after if label not in before]
    for label in after:
        if label in before and _meaning(before[label]) != _meaning(after[label]):
            said.append(f"{label!r} was {_law_text(before[label])} and is {_law_text(after[label])}")
    return said + _resource_diff(old.get("fidelity"), new.get("fidelity"))


def _resource_diff(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> list[str]:
    """Say how the resource changed: its name and bounds, which say what a recorded resource means."""
    before, after = (None if one is None else (one["label"], one["low"], one["high"]) for one in (old, new))
    if before == after:
        return []
    return [f"the resource was {_resource_text(before)} and is {_resource_text(after)}"]


def _resource_text(resource: tuple[Any, ...] | None) -> str:
    return "none" if resource is None else "{!r} from {} to {}".format(*resource)


def _meaning(described: Mapping[str, Any]) -> Any:
    parts = [
        described["distribution"],
        described["arguments"],
        described.get("options"),
        described["conditions"],
    ]
    return json.loads(json.dumps(parts))  # tuples and lists compare alike


def _law_text(described: Mapping[str, Any]) -> str:
    if described.get("options") is not None:
        text = "one of " + short(described["options"])
    else:
        given = ", ".join(f"{name}={value}" for name, value in described["arguments"].items())
        text = f"{builder_name(described['distribution'])}({given})"
    when = tuple(tuple((name, index) for name, index in clauses) for clauses in described["conditions"])
    return text if when == ((),) else f"{text} when {describe_conditions(when)}"
