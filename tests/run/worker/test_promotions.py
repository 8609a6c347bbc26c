"""Trials that are promoted, evaluated by workers: whoever gets one goes on from the checkpoint that its parent left."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from hpspace import Trials, fmin, hp

SPACE = {"x": hp.uniform("x", 0, 1), "epochs": hp.fidelity("epochs", 1, 9)}


def training():
    """Make an objective that goes on where the trial that is continued has stopped, whoever evaluated that."""

    def train(config, ctrl):
        model = ctrl.attachments.get("model", {"epochs": 0, "x": config["x"]})
        assert model["x"] == config["x"], "a checkpoint of another configuration"
        ctrl.attachments["model"] = {"epochs": config["epochs"], "x": config["x"]}
        time.sleep(0.02)  # so that the other worker gets trials, too
        loss = config["x"] + 1 / config["epochs"]
        return {"status": "ok", "loss": loss, "begun_at": model["epochs"], "by": os.getppid()}

    return train


@pytest.fixture(params=["sqlite", "replset"])
def url(request, tmp_path):
    """An empty store: a file, or a database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'study.db'}"
    return request.getfixturevalue("replset_url")


@pytest.fixture
def two_workers(url, tmp_path):
    """Two worker programs for the store, whose address is in their environment only."""
    command = [
        sys.executable,
        "-m",
        "hpspace.cli.main",
        "worker",
        "--exp-key",
        "e",
        "--poll-interval",
        "0.05",
    ]
    env = {**os.environ, "HPSPACE_URL": url}
    with (tmp_path / "log").open("w") as log:
        running = [subprocess.Popen(command, env=env, stderr=log, start_new_session=True) for _ in range(2)]
        yield
        for process in running:
            process.terminate()
        for process in running:
            assert process.wait(30) == 0, (tmp_path / "log").read_text()


@pytest.mark.parametrize("algo", ["asha", "hyperband"])
@pytest.mark.usefixtures("two_workers")
def test_a_promoted_trial_finds_the_checkpoint_of_its_parent(url, algo):
    """Though another worker wrote it; and what the parent wrote stays as it was."""
    trials = Trials.open(url, "e", asynchronous=True)
    while trials.live_workers() < 2:
        trials.wait(0.1)
    fmin(training(), SPACE, algo, max_evals=40, trials=trials, max_queue_len=4, rstate=0, verbose=False)
    docs = {doc["tid"]: doc for doc in trials.documents()}
    parents = {
        tid: docs[doc["misc"]["fidelity"]["parent"]]
        for tid, doc in docs.items()
        if doc["misc"]["fidelity"]["parent"] is not None
    }
    assert {doc["state"] for doc in docs.values()} == {2}
    assert len(parents) >= 5
    for tid, doc in docs.items():
        came_from = parents[tid]["misc"]["fidelity"]["resource"] if tid in parents else 0
        assert doc["result"]["begun_at"] == came_from
        assert trials.trial_attachments(doc)["model"]["epochs"] == doc["misc"]["fidelity"]["resource"]
    assert any(docs[tid]["result"]["by"] != parent["result"]["by"] for tid, parent in parents.items())
    trials.close()
