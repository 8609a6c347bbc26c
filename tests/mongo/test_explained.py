"""The cost of each question does not grow with the experiment: the server says by which index it answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hpspace.trials.document import JOB_STATE_DONE, new_document
from hpspace.trials.mongo import moves
from hpspace.trials.mongo.store import MongoStore, open_store
from hpspace.trials.shared.contract import Claim

#: Finished trials that no question may look at, and queued ones of which only the first may be looked at.
FINISHED, QUEUED = 300, 20
FEW = 3


@pytest.fixture(scope="module")
def store(mongod_standalone) -> Iterator[MongoStore]:
    store = open_store(mongod_standalone.url)
    for exp_key in ("a", "b"):
        docs = [new_document(tid, {"x": 0.5}, exp_key=exp_key) for tid in store.new_tids(FINISHED + QUEUED)]
        for doc in docs[:FINISHED]:
            doc["state"] = JOB_STATE_DONE
        store.insert(docs)
    yield store
    store.delete(None)
    store.close()


def examined(
    store: MongoStore, which: dict[str, Any], change: Any = None, **sort: int
) -> tuple[int, set[str]]:
    """Return how many documents and keys a question looks at, and in what ways."""
    command: dict[str, Any] = {"find": store.jobs.name, "filter": which, "sort": sort}
    if change is not None:
        command = {"findAndModify": store.jobs.name, "query": which, "update": change, "sort": sort}
    plan = store.link.database.command("explain", command, verbosity="executionStats")
    stats = plan["executionStats"]
    return max(stats["totalDocsExamined"], stats["totalKeysExamined"]), set(
        stages(plan["queryPlanner"]["winningPlan"])
    )


def stages(plan: dict[str, Any]) -> Iterator[str]:
    """Yield the ways in which a plan goes to work."""
    yield plan["stage"]
    for inner in [plan.get("inputStage"), *plan.get("inputStages", ())]:
        if inner is not None:
            yield from stages(inner)


@pytest.mark.parametrize("exp_key", ["a", None])
def test_the_next_trial_is_found_by_an_index(store: MongoStore, exp_key: str | None) -> None:
    """And it alone: nothing is sorted, nothing is passed over. With an experiment and without."""
    cost, ways = examined(store, moves.queued(exp_key), moves.claimed("me", "token", 60.0), tid=1)
    assert cost <= FEW and ways <= {"UPDATE", "LIMIT", "FETCH", "IXSCAN"}


@pytest.mark.parametrize("exp_key", ["a", "nobody", None])
def test_lapsed_leases_are_found_by_an_index(store: MongoStore, exp_key: str | None) -> None:
    cost, ways = examined(store, moves.expired(exp_key))
    assert cost <= FEW and "COLLSCAN" not in ways and "IXSCAN" in ways


def test_a_claim_is_found_by_an_index(store: MongoStore) -> None:
    cost, ways = examined(store, moves.held(Claim(3, "token", 1, {})), moves.updated(None, {"a": 1}))
    assert cost <= FEW and "COLLSCAN" not in ways


@pytest.mark.parametrize("exp_key", ["a", None])
def test_changes_are_found_by_an_index(store: MongoStore, exp_key: str | None) -> None:
    """Nothing has changed since the future, and nothing is looked at to know it."""
    _, now = store._mark()
    cost, ways = examined(store, moves.changed_since(exp_key, now.replace(year=now.year + 1)))
    assert cost <= FEW and "COLLSCAN" not in ways


def test_the_server_is_asked_a_fixed_number_of_times(store: MongoStore) -> None:
    """Per trial: one command to claim it, one to end it, a bell for each, and three to see what has changed."""
    cursor = store.changes("a").cursor
    before = commands(store)
    claim = store.reserve("me", "a")
    assert claim is not None and store.finish(claim, JOB_STATE_DONE, {"status": "ok", "loss": 0.5})
    store.changes("a", cursor)
    assert commands(store) - before - 1 <= 7


def commands(store: MongoStore) -> int:
    """Return the number of commands that the server has answered to this collection's readers and writers."""
    counted = store.link.client.admin.command("serverStatus")["opcounters"]
    return int(sum(counted[kind] for kind in ("query", "update", "insert", "delete", "getmore")))
