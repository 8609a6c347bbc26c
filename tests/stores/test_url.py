"""Opening trials by a URL: what each part does, and what is said when one is wrong."""

from __future__ import annotations

import pytest

from hpspace import SqliteTrials, Trials
from hpspace.exceptions import StoreUnavailable, UnknownStore
from hpspace.trials.document import new_document


def opened(url, exp_key=None, **options):
    trials = Trials.open(url, exp_key, **options)
    trials.close()
    return trials


def test_a_relative_file_is_in_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trials = opened("sqlite:///study.db#first%20try")
    assert type(trials) is SqliteTrials and trials._exp_key == "first try"
    assert trials.store.url == f"sqlite:///{tmp_path}/study.db"


def test_an_absolute_file_is_where_it_says(tmp_path):
    trials = opened(f"sqlite:///{tmp_path}/a%20b.db")
    assert (tmp_path / "a b.db").exists() and trials._exp_key is None


def test_the_url_of_a_store_opens_it(tmp_path):
    trials = Trials.open(f"sqlite:///{tmp_path}/study.db#e")
    trials.insert_trial_doc(new_document(0, {"x": 0.5}, exp_key="e"))
    again = opened(trials.store.url, "e")
    trials.close()
    assert again.tids == [0]


def test_options_stand_in_the_url_or_beside_it(tmp_path):
    url = f"sqlite:///{tmp_path}/study.db"
    trials = opened(f"{url}?workers=1&lease=5&max_attempts=2&durability=full")
    assert trials.asynchronous and trials._options == {"lease": 5.0, "max_attempts": 2}
    assert trials.store._file.durability == "full"
    assert opened(f"{url}?lease=5", lease=7)._options["lease"] == 7
    assert not opened(f"{url}?asynchronous=0").asynchronous


def test_the_argument_names_the_experiment_before_the_url(tmp_path):
    assert opened(f"sqlite:///{tmp_path}/study.db#a", "b")._exp_key == "b"


def test_memory_is_of_this_process():
    assert opened("memory:#e")._exp_key == "e"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("study.db", "write sqlite:///study.db for a file"),
        ("", "is no URL of a store"),
        ("sqlit:///study.db", "did you mean 'sqlite:'"),
        ("mongdb://host/db", "did you mean 'mongodb:'"),
        ("sqlite://study.db", "write sqlite:///study.db for a file here"),
        ("sqlite:///", "write sqlite:///study.db"),
        ("sqlite:///s.db?durabilty=full", "no option 'durabilty'; did you mean 'durability'"),
        ("sqlite:///s.db?lease=long", "could not convert string to float: 'long'"),
        ("memory:study", "a store in memory has no name"),
    ],
)
def test_wrong_urls_are_told_what_was_meant(url, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownStore, match=message):
        Trials.open(url)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("url", ["mongod://user:hunter2@host/db", "user:hunter2@host/db", "hunter:hunter2"])
def test_no_message_shows_a_password(url):
    with pytest.raises(UnknownStore) as caught:
        Trials.open(url)
    assert "hunter2" not in str(caught.value)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(StoreUnavailable, match="the folder does not exist"):
        Trials.open(f"sqlite:///{tmp_path}/no/study.db")
