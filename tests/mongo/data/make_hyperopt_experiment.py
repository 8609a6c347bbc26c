"""Makes hyperopt_experiment.jsonl: what Hyperopt itself leaves in a database, for `test_hyperopt.py`.

Run it with an interpreter that has hyperopt 0.3.0, pymongo 3.13 (it does not work with later ones), against a mongod
that holds nothing else::

    python make_hyperopt_experiment.py 127.0.0.1:27017 > hyperopt_experiment.jsonl

Four trials are evaluated by ``hyperopt-mongo-worker``, some of which raise; one is left claimed by a worker that is no
more, and one waits. The bytes of the pickled objective are replaced: nobody could unpickle them without Hyperopt.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

OBJECTIVE = """
def objective(config):
    if config["x"] > 0:
        raise ValueError("too far: %s" % config["x"])
    return {"status": "ok", "loss": config["x"] ** 2, "path": [1, 2.5, "t"], "attachments": {"log": b"said so"}}
"""


def main(server: str, folder: Path) -> None:
    import numpy as np
    from bson import json_util
    from hyperopt import fmin, hp, rand
    from hyperopt.base import Domain
    from hyperopt.mongoexp import MongoTrials

    (folder / "golden_objective.py").write_text(OBJECTIVE)
    sys.path.insert(0, str(folder))
    from golden_objective import objective  # type: ignore[import-not-found]

    space = {
        "x": hp.uniform("x", -1, 1),
        "net": hp.choice("net", [{"k": 0}, {"d": hp.quniform("d", 1, 5, 1)}]),
    }
    trials = MongoTrials(f"mongo://{server}/golden/jobs", exp_key="golden")
    worker = Path(sys.executable).parent / "hyperopt-mongo-worker"
    command = [str(worker), f"--mongo={server}/golden", "--poll-interval=0.1", "--max-jobs=4"]
    with subprocess.Popen(command, cwd=folder, env={**os.environ, "PYTHONPATH": str(folder)}):
        rng = np.random.default_rng(3)
        fmin(objective, space, rand.suggest, 4, trials=trials, rstate=rng, show_progressbar=False)
    trials.attachments["note"] = b"of all trials"
    trials.insert_trial_docs(rand.suggest(trials.new_trial_ids(2), Domain(objective, space), trials, 7))
    trials.handle.reserve(["host:1"], exp_key="golden")
    database = trials.handle.db
    database["fs.chunks"].update_many({"data": {"$gt": b"", "$type": 5}, "n": 0}, [_PLACEHOLDER])
    names = ("jobs", "job_ids", "fs.files", "fs.chunks")
    for name in names:
        sys.stdout.writelines(json_util.dumps([name, doc]) + "\n" for doc in database[name].find())


_PLACEHOLDER = {"$set": {"data": {"$cond": [{"$gt": [{"$binarySize": "$data"}, 100]}, b"a pickle", "$data"]}}}

if __name__ == "__main__":
    main(sys.argv[1], Path.cwd())
