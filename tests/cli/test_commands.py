"""The commands by `main`: what they write, where, and with which exit code."""

from __future__ import annotations

import csv
import io
import json
import logging
import subprocess
import sys

import pytest

from hpspace import SqliteTrials, Trials, fmin, hp
from hpspace.cli.hyperopt_worker import main as hyperopt_main
from hpspace.cli.main import main
from hpspace.exceptions import StoreUnavailable
from hpspace.trials.document import new_document


@pytest.fixture(autouse=True)
def nobodys_machine(tmp_path, monkeypatch):
    """No variables and no server of the user who runs the tests."""
    for name in ("HPSPACE_URL", "HPSPACE_MONGO_URL", "HPSPACE_MONGO_URL_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def own_log():
    """Take back what a program does to the log of its process."""
    logger = logging.getLogger("hpspace")
    handlers, level = list(logger.handlers), logger.level
    yield
    logger.handlers[:] = handlers
    logger.setLevel(level)


@pytest.fixture
def url(tmp_path):
    """Six trials that were maximised, of which those with x > 0.5 failed; and one more experiment."""

    def objective(config):
        if config["x"] > 0.5:
            raise ValueError("too much")
        return config["x"]

    trials = SqliteTrials(tmp_path / "study.db", "first")
    space = {"x": hp.uniform("x", -1, 1)}
    points = [{"x": x} for x in (-0.75, 0.25, 0.75, -0.5, 1.0, 0.125)]
    fmin(
        objective,
        space,
        "rand",
        6,
        trials=trials,
        points_to_evaluate=points,
        direction="maximize",
        catch=(ValueError,),
        rstate=0,
        verbose=False,
    )
    trials.close()
    other = SqliteTrials(tmp_path / "study.db", "second")
    other.insert_trial_docs([new_document(t, {"x": 0.5}, exp_key="second") for t in other.new_trial_ids(2)])
    other.close()
    return f"sqlite:///{tmp_path / 'study.db'}"


@pytest.fixture
def run(capsys):
    """Run a command; return exit code, stdout and stderr."""

    def command(*words):
        try:
            code = main([str(word) for word in words])
        except SystemExit as leaving:
            code = leaving.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return command


def states(url, key):
    trials = Trials.open(url, key)
    found = {doc["tid"]: doc["state"] for doc in trials.documents()}
    trials.close()
    return found


def test_list_counts_by_state_and_shows_values_as_the_user_sees_them(run, url):
    code, out, err = run("list", url, "--json")
    first, second = json.loads(out)
    assert (code, err) == (0, "")
    assert (first["exp_key"], first["done"], first["error"], first["best"]) == ("first", 4, 2, 0.25)
    assert (second["exp_key"], second["new"], second["best"]) == ("second", 2, None)


def test_list_of_one_experiment_shows_that_one(run, url):
    assert [row["exp_key"] for row in json.loads(run("list", url + "#second", "--json")[1])] == ["second"]


def test_errors_are_shown_by_the_name_of_their_class(run, url):
    """Documents name them as Hyperopt does, ``<class 'ValueError'>``."""
    assert "ValueError: too much" in run("show", url + "#first", "--tid", 2)[1]
    assert "class" not in run("show", url + "#first", "--tid", 2)[1]


def test_list_of_an_empty_store_says_so(run, tmp_path):
    SqliteTrials(tmp_path / "empty.db").close()
    assert run("list", "sqlite:///empty.db") == (0, "", "there is nothing to show\n")
    assert run("list", "sqlite:///empty.db", "--json") == (0, "[]\n", "")


def test_show_has_a_line_for_each_trial(run, url):
    code, out, _ = run("show", url + "#first", "--tid", 1, 2)
    lines = out.splitlines()
    assert code == 0 and len(lines) == 3
    assert lines[1].split()[:4] == ["1", "done", "ok", "0.25"]
    assert "ValueError" in lines[2] and "too much" in lines[2]


def test_show_of_a_trial_that_is_not_there_is_a_no(run, url):
    assert run("show", url + "#first", "--tid", 99, "--json")[:2] == (1, "[]\n")


def test_best_shows_the_point(run, url):
    code, out, _ = run("best", url, "--exp-key", "first", "--json")
    said = json.loads(out)
    assert (code, said["value"], said["point"]) == (0, 0.25, {"x": 0.25})
    assert run("best", url + "#first")[1].splitlines()[0] == f"trial {said['tid']}: 0.25"


def test_best_of_an_experiment_without_a_result_is_a_no(run, url):
    code, out, err = run("best", url + "#second")
    assert (code, out) == (1, "") and err.startswith("hpspace best: ")


def test_export_writes_lines_that_can_be_read_back(run, url, tmp_path):
    from hpspace.trials.exchange import import_jsonl

    assert run("export", url + "#first", "--output", "first.jsonl")[0] == 0
    again = import_jsonl(tmp_path / "first.jsonl")
    assert again.direction == "maximize" and len(again.documents()) == 6
    header = json.loads((tmp_path / "first.jsonl").read_text().splitlines()[0])
    assert header["space"]


def test_export_for_spreadsheets(run, url):
    _, out, _ = run("export", url + "#first", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["state"] for row in rows].count("error") == 2
    assert {row["x"]: row["value"] for row in rows}["0.25"] == "0.25"


def test_requeue_and_cancel_move_what_was_said_and_nothing_else(run, url):
    code, out, _ = run("requeue", url + "#first", "--failed", "--json")
    assert (code, json.loads(out)) == (0, {"requeued": 2})
    assert sorted(states(url, "first").values()) == [0, 0, 2, 2, 2, 2]
    assert run("cancel", url + "#first")[1] == "2 trials cancelled\n"
    assert set(states(url, "second").values()) == {0}


def test_requeue_wants_to_know_which(run, url):
    code, _, err = run("requeue", url + "#first")
    assert code == 2 and "--failed" in err


def test_delete_asks_first(run, url):
    code, _, err = run("delete", url + "#second")
    assert code == 2 and "experiment second" in err and "--yes" in err
    assert len(states(url, "second")) == 2
    assert run("delete", url + "#second", "--yes")[0] == 0
    assert (len(states(url, "second")), len(states(url, "first"))) == (0, 6)


def test_delete_of_everything_must_be_said(run, url):
    """A forgotten experiment is no order to delete all of them."""
    code, _, err = run("delete", url, "--yes")
    assert code == 2 and "--all" in err
    assert run("delete", url + "#first", "--all", "--yes")[0] == 2
    assert len(states(url, None)) == 8
    assert run("delete", url, "--all", "--yes")[0] == 0
    assert states(url, None) == {}


def test_workers_shows_who_is_there(run, tmp_path):
    url = f"sqlite:///{tmp_path / 'quiet.db'}"
    trials = Trials.open(url)
    assert run("workers", url)[0] == 1
    trials.store.hello(
        {"owner": "far:1", "exp_key": "first", "role": "worker", "cannot_load": {"first": "no"}}
    )
    trials.close()
    code, out, _ = run("workers", url + "#first", "--json")
    (worker,) = json.loads(out)
    assert (code, worker["owner"], worker["cannot_load"]) == (0, "far:1", {"first": "no"})


# -- what can be wrong -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lst"], "did you mean 'list'?"),
        (["mongo", "upp"], "did you mean 'up'?"),
        (["nothing-like-it"], "there are worker, mongo, list"),
        (["list", "sqlit:///a.db"], "did you mean 'sqlite:'?"),
        (["list", "sqlite:///missing.db"], "there is no file missing.db"),
        (["list"], "which store?"),
        (["worker"], None),
        (["worker", "sqlite:///a.db", "--jobs", "0"], "'0' is no number from 1 on"),
        (["worker", "sqlite:///a.db", "--max-jobs", "-1"], "--max-jobs"),
        (["worker", "sqlite:///a.db", "--lease", "0"], "--lease: '0' is no number of seconds above 0"),
        (["worker", "sqlite:///a.db", "--drain-timeout", "soon"], "'soon' is no number of seconds"),
        (["worker", "sqlite:///a.db", "--objective", "m:f"], "--objective and --space go together"),
        (["worker", "sqlite:///a.db", "--trial-timeout", "1", "--no-subprocesses"], "--trial-timeout needs"),
        (["worker", "sqlite:///a.db", "--objective", "m", "--space", "m:s"], "write module:name"),
        (["list", "mongodb://ann:secret@db/"], "mongodb"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(run, words, said):
    code, out, err = run(*words)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and err.startswith("hpspace")
    assert said is None or said in err
    assert "secret" not in err


def test_a_file_that_cannot_be_written_is_named(run, url, tmp_path):
    code, _, err = run("export", url + "#first", "--output", tmp_path)
    assert code == 2 and str(tmp_path) in err and err.count("\n") == 1


def test_a_misspelt_file_is_not_made(run, tmp_path):
    run("best", "sqlite:///typo.db#first")
    assert not (tmp_path / "typo.db").exists()


def test_the_url_may_come_from_the_environment(run, url, monkeypatch):
    monkeypatch.setenv("HPSPACE_URL", url + "#second")
    assert len(json.loads(run("show", "--json")[1])) == 2


def unreachable(*args):
    raise StoreUnavailable("nobody answers")


@pytest.mark.parametrize("program", [main, hyperopt_main])
def test_a_password_in_a_workers_command_line_is_warned_of(program, capsys, monkeypatch):
    """`ps` shows it for as long as the worker lives; the message itself does not."""
    url = "mongodb://ann:tiger@127.0.0.1:1/db"
    words = ["worker", url] if program is main else ["--mongo", url]
    monkeypatch.setattr("hpspace.cli.worker.opened", unreachable)
    assert program([*words, "--reserve-timeout", "0"]) == 2
    said = capsys.readouterr().err
    assert "HPSPACE_URL instead" in said and "tiger" not in said


def test_a_password_in_the_environment_is_not(run, monkeypatch):
    monkeypatch.setenv("HPSPACE_URL", "mongodb://ann:tiger@127.0.0.1:1/db")
    monkeypatch.setattr("hpspace.cli.worker.opened", unreachable)
    code, _, err = run("worker", "--reserve-timeout", "0")
    assert code == 2 and "nobody answers" in err
    assert "HPSPACE_URL instead" not in err and "tiger" not in err


def test_hyperopts_program_without_an_address_takes_that_of_the_environment(capsys, monkeypatch, url):
    """A pool of either kind is served: whatever `hpspace worker` opens."""
    monkeypatch.setenv("HPSPACE_URL", url + "#none")
    assert hyperopt_main(["--reserve-timeout", "0"]) == 0
    assert "worker for sqlite:" in capsys.readouterr().err


def test_no_server_runs(run, tmp_path):
    for what in ("status", "down"):
        code, out, err = run("mongo", what, "--dbpath", tmp_path / "db")
        assert (code, out) == (1, "") and "no server runs" in err


def test_hyperopts_program_refuses_in_one_line(capsys):
    with pytest.raises(SystemExit) as leaving:
        hyperopt_main(["--mongoo", "localhost:1/db"])
    assert leaving.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


# -- as programs -------------------------------------------------------------------------------------------


def program(*words):
    return subprocess.run(
        [sys.executable, "-m", "hpspace", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_as_a_program_it_returns_the_exit_code_and_no_traceback(url):
    """Answers on stdout, messages on stderr; a mistake is no traceback."""
    good, bad = program("list", url, "--json"), program("best", url + "#second")
    assert (good.returncode, good.stderr, len(json.loads(good.stdout))) == (0, "", 2)
    assert (bad.returncode, bad.stdout) == (1, "") and "Traceback" not in bad.stderr


def test_a_worker_logs_one_json_object_a_line(url):
    done = program("worker", url + "#none", "--reserve-timeout", "0.1", "--log-format", "json")
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert done.returncode == 0
    assert [line["action"] for line in lines] == ["worker_start", "worker_stop"]
