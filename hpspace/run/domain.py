"""A search space together with the objective on it: what it takes to evaluate one trial.

A Domain is made once for a run. Making it compiles the space, so every fault of the space is raised here, before
anything is evaluated; and it decides how the objective is called. `evaluate` then is: values of a trial -> the object
the objective sees -> the objective -> a checked result. A Domain can be pickled if its objective can; workers get it
that way.

It knows nothing of algorithms, loops or stores. Made by `run.minimize`, by integrations, and by users.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from hpspace.graph import Literal, Node, dfs, evaluate
from hpspace.run.ctrl import Ctrl
from hpspace.run.objective import call_style, checked_result
from hpspace.run.reporting import running
from hpspace.space.compile import compile_space
from hpspace.trials.document import STATUS_NEW
from hpspace.trials.fidelity import at_its_resource

#: Where a document's `cmd` says that the objective is found: in the store's attachments, under this name.
DOMAIN_ATTACHMENT = "FMinIter_Domain"


class Domain:
    """An objective and its search space.

    Parameters
    ----------
    fn : callable
        The objective; see `hpspace.run.objective` for the ways it can be called.
    expr : object
        The search space.
    workdir : str or None
        Folder that trials run in; kept for workers.
    pass_expr_memo_ctrl : bool or None
        Call ``fn(expr=..., memo=..., ctrl=...)``; None reads the mark of `fmin_pass_expr_memo_ctrl`.
    name : str or None
        A name for people.
    loss_target : float or None
        A loss that would be good enough; for people.

    Attributes
    ----------
    space : CompiledSpace
        The validated space.
    expr : Node
        Its expression.
    params : dict of str to Node
        Label to the node of its distribution: ``params["x"].name == "uniform"``.
    revisit : bool or None
        Whether an algorithm may propose a finite space's point again: False never, True freely, None (outside
        of `fmin`) only when no new one is left.
    pruner : Pruner or None
        Who decides whether a trial that reports intermediate values is ended early; travels with the objective.

    Raises
    ------
    BadSearchSpace
        Everything that is wrong with the space, at once.

    Examples
    --------
    >>> from hpspace import Ctrl, Domain, Trials, hp
    >>> domain = Domain(lambda config: config["x"] ** 2, {"x": hp.uniform("x", 0, 4)})
    >>> domain.evaluate({"x": 3.0}, Ctrl(Trials()))
    {'loss': 9.0, 'status': 'ok'}
    """

    #: Read by integrations: whether a failing space evaluation logs the failing node.
    rec_eval_print_node_on_error = False

    #: Placed inside a space, it is replaced by the live `Ctrl` at evaluation.
    pyll_ctrl = Literal(Ctrl)

    def __init__(
        self,
        fn: Callable[..., Any],
        expr: Any,
        workdir: str | None = None,
        pass_expr_memo_ctrl: bool | None = None,
        name: str | None = None,
        loss_target: float | None = None,
    ) -> None:
        self.fn = fn
        self.space = compile_space(expr)
        self.expr: Node = self.space.expr
        self.params = {param.label: param.dist_node for param in self.space.params}
        self.call_style = call_style(fn, pass_expr_memo_ctrl)
        self.pass_expr_memo_ctrl = self.call_style == "expr_memo_ctrl"
        self.workdir = workdir
        self.name = name
        self.loss_target = loss_target
        self.cmd = ("domain_attachment", DOMAIN_ATTACHMENT)
        self.revisit: bool | None = None
        self.pruner: Any = None
        self._wants_ctrl = any(_holds(node, Ctrl) for node in dfs(self.expr))

    def memo_from_config(self, config: Mapping[str, Any]) -> dict[Node, Any]:
        """Return what evaluating the space needs to know of a point.

        Parameters
        ----------
        config : mapping
            Label to raw value; absent labels are marked as `GarbageCollected`, and reading one is a TypeError.

        Returns
        -------
        dict
            Node to value, for `rec_eval`.
        """
        return self.space.memo(config)

    def evaluate(
        self, config: Mapping[str, Any], ctrl: Ctrl, attach_attachments: bool = True
    ) -> dict[str, Any]:
        """Evaluate the objective at a point.

        Parameters
        ----------
        config : mapping
            Label to raw value (a choice's index), at least for the active labels.
        ctrl : Ctrl
            For the objective, and the owner of its attachments. Its current trial says what the trial is given of a
            declared resource; by default that is all of it.
        attach_attachments : bool
            Move ``result["attachments"]`` into `ctrl.attachments`.

        Returns
        -------
        dict
            The result: "status", and "loss" when the status is "ok".

        Raises
        ------
        InvalidResult, InvalidResultStatus, InvalidLoss
            If the objective returned no result. What the objective raises propagates unchanged.
        """
        fn, arguments, keywords = self._call(config, ctrl)
        with running(ctrl):
            value = fn(*arguments, **keywords)
        return self.evaluate_async2(value, ctrl, attach_attachments)

    def evaluate_async(
        self, config: Mapping[str, Any], ctrl: Ctrl, attach_attachments: bool = True
    ) -> tuple[Callable[..., Any], Any]:
        """Do the part of `evaluate` that comes before the objective.

        Parameters
        ----------
        config, ctrl, attach_attachments
            As for `evaluate`.

        Returns
        -------
        fn : callable
            The objective.
        point : object
            What it is to be called with.
        """
        return self.fn, self._point(config, ctrl)

    def evaluate_async2(self, rval: Any, ctrl: Ctrl, attach_attachments: bool = True) -> dict[str, Any]:
        """Do the part of `evaluate` that comes after the objective.

        Parameters
        ----------
        rval : object
            What the objective returned.
        ctrl, attach_attachments
            As for `evaluate`.

        Returns
        -------
        dict
            The checked result.
        """
        trial = ctrl.current_trial if ctrl is not None else None
        result = checked_result(rval, None if trial is None else trial["tid"])
        if attach_attachments:
            for name, value in result.pop("attachments", {}).items():
                ctrl.attachments[name] = value
        return result

    def _call(
        self, config: Mapping[str, Any], ctrl: Ctrl
    ) -> tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]:
        """Return the objective with its positional and keyword arguments for one point."""
        if self.pass_expr_memo_ctrl:
            return self.fn, (), {"expr": self.expr, "memo": self._memo(config, ctrl), "ctrl": ctrl}
        point = self._point(config, ctrl)
        return self.fn, (point, ctrl) if self.call_style == "config_ctrl" else (point,), {}

    def _point(self, config: Mapping[str, Any], ctrl: Ctrl) -> Any:
        """Return the object that the objective sees."""
        config = self._given(config, ctrl)
        if self._wants_ctrl:
            return evaluate(self.expr, self._memo(config, ctrl))
        return self.space.config(config)

    def _given(self, config: Mapping[str, Any], ctrl: Ctrl) -> Mapping[str, Any]:
        """Return a point with the resource that the running trial is given, if the space declares one."""
        return at_its_resource(config, getattr(ctrl, "current_trial", None), self.space)

    def _memo(self, config: Mapping[str, Any], ctrl: Ctrl) -> dict[Node, Any]:
        memo = self.memo_from_config(self._given(config, ctrl))
        if self._wants_ctrl:
            use_obj_for_literal_in_memo(self.expr, ctrl, Ctrl, memo)
        return memo

    # ---------------------------------------------------------------- reading results

    def short_str(self) -> str:
        """Return a short text for people."""
        return f"Domain{{{self.name or self.fn}}}"

    def new_result(self) -> dict[str, Any]:
        """Return the result of a trial that has not run."""
        return {"status": STATUS_NEW}

    def loss(self, result: Mapping[str, Any], config: Any = None) -> Any:
        """Return the loss of a result, None when it has none."""
        return result.get("loss")

    def loss_variance(self, result: Mapping[str, Any], config: Any = None) -> Any:
        """Return the variance of the loss as an estimate, 0.0 when not given."""
        return result.get("loss_variance", 0.0)

    def true_loss(self, result: Mapping[str, Any], config: Any = None) -> Any:
        """Return the true loss, as far as the objective knew it; else the loss."""
        return result["true_loss"] if "true_loss" in result else self.loss(result, config)

    def true_loss_variance(self, result: Mapping[str, Any] | None = None, config: Any = None) -> Any:
        """Not known for any domain; a subclass may say."""
        raise NotImplementedError("no domain of hpspace knows the variance of a true loss")

    def status(self, result: Mapping[str, Any], config: Any = None) -> Any:
        """Return the status of a result."""
        return result["status"]

    def __repr__(self) -> str:
        return f"<Domain {self.name or getattr(self.fn, '__name__', self.fn)!s} on {self.space!r}>"


Domain.__module__ = "hpspace.base"  # the public address, under which it is pickled


def space_eval(space: Any, hp_assignment: Mapping[str, Any]) -> Any:
    """Return the configuration that a point of the space stands for.

    Parameters
    ----------
    space : object
        The search space.
    hp_assignment : mapping
        Label to raw value (a choice's index), such as `fmin` returns. Other labels are ignored.

    Returns
    -------
    object
        What the objective sees at this point.

    Raises
    ------
    InvalidPoint
        If an active label is missing; names it.

    Examples
    --------
    >>> from hpspace import hp, space_eval
    >>> space_eval({"net": hp.choice("net", ["cnn", "mlp"])}, {"net": 1})
    {'net': 'mlp'}
    """
    return compile_space(space).config(hp_assignment)


def use_obj_for_literal_in_memo(expr: Node, obj: Any, lit: Any, memo: dict[Node, Any]) -> dict[Node, Any]:
    """Let every literal `lit` of an expression stand for `obj`.

    Parameters
    ----------
    expr : Node
        The expression.
    obj : object
        The value to use.
    lit : object
        What the literals to replace hold.
    memo : dict
        Node to value, for `rec_eval`; changed in place.

    Returns
    -------
    dict
        `memo`.
    """
    for node in dfs(expr):
        if _holds(node, lit):
            memo[node] = obj
    return memo


def _holds(node: Node, lit: Any) -> bool:
    """Whether a node is a literal of `lit`: the same object, or an equal one of its type."""
    if not isinstance(node, Literal):
        return False
    if node.obj is lit:
        return True
    if type(node.obj) is not type(lit):
        return False
    equal = node.obj == lit
    return bool(equal) if isinstance(equal, (bool, np.bool_)) else False  # an array compares by element
