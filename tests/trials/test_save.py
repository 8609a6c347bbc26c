"""The trials file: appending, loading, killed writers, moved files, unpicklable results."""

from __future__ import annotations

import logging
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest

from hpspace import Trials, fmin, hp, trials_from_docs
from hpspace.space.compiled import CompiledSpace
from hpspace.trials import records, save
from hpspace.trials.document import new_document
from hpspace.trials.save import Journal
from hpspace.trials.unpicklable import Unpicklable


def same(first: Trials, second: Trials) -> bool:
    """Whether two trials hold equal documents (NaN equals NaN), attachments and spaces."""
    return (
        repr(first._dynamic_trials) == repr(second._dynamic_trials)
        and repr(first.trials) == repr(second.trials)
        and first.attachments == second.attachments
        and first.space_json == second.space_json
    )


def a_search(path: Path, make: Any, n: int = 3) -> tuple[Trials, Journal]:
    """Do what the loop does: insert, evaluate in place, append, n times."""
    trials = Trials()
    journal = Journal.open(path, trials)
    for tid in trials.new_trial_ids(n):
        trials.insert_trial_doc(make(tid, state=0))
        trials.refresh()
        journal.append_changes(trials)
        trials[-1].update(state=2, result={"status": "ok", "loss": float(tid)})
        trials.refresh()
        journal.append_changes(trials)
    return trials, journal


def test_a_search_is_read_back(tmp_path: Path, make: Any) -> None:
    trials, _ = a_search(tmp_path / "t", make)
    again = Trials.load(tmp_path / "t")
    assert same(again, trials) and len(again) == 3 and again.new_trial_ids(1) == [3]


def test_saving_and_loading_everything(tmp_path: Path, trials: Trials, space: CompiledSpace) -> None:
    """Errors, NaN, attachments and the space included."""
    trials.remember_space(space)
    trials.trial_attachments(trials[3])["model"] = b"weights"
    trials.save(tmp_path / "t")
    again = Trials.load(str(tmp_path / "t"))
    assert same(again, trials) and again.best_config == trials.best_config
    assert again.by_tid(4)["misc"]["error"][1] == "bad kernel"


def test_pickle_load_of_the_open_file_gives_the_trials(tmp_path: Path, make: Any) -> None:
    """What Hyperopt's users do with a trials_save_file; everything appended since is there too."""
    trials, _ = a_search(tmp_path / "t", make, n=5)
    with (tmp_path / "t").open("rb") as file:
        assert same(pickle.load(file), trials)
    with (tmp_path / "t").open("rb") as file:
        assert same(cloudpickle.load(file), trials)
    assert same(pickle.loads((tmp_path / "t").read_bytes()), trials)


def test_pickle_load_of_a_moved_file_names_the_remedy(tmp_path: Path, make: Any) -> None:
    trials, _ = a_search(tmp_path / "t", make)
    (tmp_path / "t").rename(tmp_path / "moved")
    with (
        (tmp_path / "moved").open("rb") as file,
        pytest.raises(FileNotFoundError, match=r"Trials\.load\(path\)"),
    ):
        pickle.load(file)
    assert same(Trials.load(tmp_path / "moved"), trials)


def test_pickle_load_of_a_moved_file_never_reads_another_one_in_its_place(tmp_path: Path, make: Any) -> None:
    a_search(tmp_path / "t", make)
    (tmp_path / "t").rename(tmp_path / "moved")
    a_search(tmp_path / "t", make)
    with (
        (tmp_path / "moved").open("rb") as file,
        pytest.raises(FileNotFoundError, match="another file is there"),
    ):
        pickle.load(file)


def test_only_what_changed_is_written(tmp_path: Path, make: Any) -> None:
    trials, journal = a_search(tmp_path / "t", make, n=20)
    size = (tmp_path / "t").stat().st_size
    journal.append_changes(trials)
    assert (tmp_path / "t").stat().st_size == size
    trials[7]["result"]["loss"] = 99.0
    journal.append_changes(trials)
    grown = (tmp_path / "t").stat().st_size - size
    assert 0 < grown < 2 * len(pickle.dumps(trials[7]))
    assert Trials.load(tmp_path / "t").losses()[7] == 99.0


def test_what_an_append_writes_does_not_grow_with_the_history(tmp_path: Path, make: Any) -> None:
    """The bytes of one more trial are the same after 20 and after 2,000 trials."""
    grown = []
    for n in (20, 2000):
        trials = trials_from_docs([make(tid, 1.0) for tid in range(n)])
        path = tmp_path / str(n)
        journal = Journal.open(path, trials)
        size = path.stat().st_size
        trials.insert_trial_doc(make(9999, 1.0))
        journal.append_changes(trials)
        grown.append(path.stat().st_size - size)
    assert grown[1] - grown[0] in range(-8, 9)


def test_a_partial_result_of_a_running_trial_is_kept(tmp_path: Path, make: Any) -> None:
    """Its result is edited inside, where no replaced object tells."""
    trials = trials_from_docs([make(0, state=1)])
    journal = Journal.open(tmp_path / "t", trials)
    trials[0]["result"]["curve"] = [1, 2]
    journal.append_changes(trials)
    trials[0]["result"]["curve"].append(3)
    journal.append_changes(trials)
    size = (tmp_path / "t").stat().st_size
    journal.append_changes(trials)
    assert Trials.load(tmp_path / "t")[0]["result"]["curve"] == [1, 2, 3]
    assert (tmp_path / "t").stat().st_size == size


def test_attachments_follow(tmp_path: Path, trials: Trials) -> None:
    journal = Journal.open(tmp_path / "t", trials)
    trials.attachments.update(a=1, b=2)
    journal.append_changes(trials)
    del trials.attachments["a"]
    trials.attachments["b"] = 3
    journal.append_changes(trials)
    assert Trials.load(tmp_path / "t").attachments == {"b": 3}


def test_deleted_trials_are_gone_from_the_file(tmp_path: Path, make: Any) -> None:
    trials, journal = a_search(tmp_path / "t", make)
    trials.delete_all()
    journal.append_changes(trials)
    assert len(Trials.load(tmp_path / "t")) == 0
    trials.insert_trial_doc(make(trials.new_trial_ids(1)[0], 1.0))
    journal.append_changes(trials)
    assert Trials.load(tmp_path / "t").tids == [3]


def test_the_space_follows(tmp_path: Path, trials: Trials, space: CompiledSpace) -> None:
    journal = Journal.open(tmp_path / "t", trials)
    trials.remember_space(space)
    journal.append_changes(trials)
    assert Trials.load(tmp_path / "t").space_json == space.to_json()


# -- going on with a file ----------------------------------------------------------------------------------


def test_loaded_trials_go_on_with_their_file(tmp_path: Path, make: Any) -> None:
    a_search(tmp_path / "t", make)
    head = (tmp_path / "t").read_bytes()
    trials = Trials.load(tmp_path / "t")
    journal = Journal.open(tmp_path / "t", trials)
    journal.append_changes(trials)
    assert (tmp_path / "t").read_bytes() == head
    trials.insert_trial_doc(make(3, 7.0))
    journal.append_changes(trials)
    assert (tmp_path / "t").read_bytes().startswith(head)
    assert Trials.load(tmp_path / "t").tids == [0, 1, 2, 3]
    assert os.listdir(tmp_path) == ["t"]


def test_the_same_trials_go_on_with_their_file(tmp_path: Path, make: Any) -> None:
    """Two calls of fmin with one Trials and one file; the second is a new journal object."""
    trials, _ = a_search(tmp_path / "t", make)
    head = (tmp_path / "t").read_bytes()
    trials.insert_trial_doc(make(3, 7.0))
    Journal.open(tmp_path / "t", trials).append_changes(trials)
    assert (tmp_path / "t").read_bytes().startswith(head) and len(Trials.load(tmp_path / "t")) == 4


def test_other_trials_do_not_destroy_a_file(
    tmp_path: Path, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Hyperopt overwrites it. Here it is kept beside the new one, each time under a name of its own."""
    for n in (1, 2, 3):
        a_search(tmp_path / "t", make, n)
    names = ["t", "t.bak", "t.bak2"]
    assert [len(Trials.load(tmp_path / name)) for name in names] == [3, 1, 2]
    assert caplog.text.count("it is kept as") == 2


def test_trials_that_are_not_empty_are_written_at_once(tmp_path: Path, trials: Trials) -> None:
    Journal.open(tmp_path / "t", trials)
    assert same(Trials.load(tmp_path / "t"), trials)


def test_an_empty_file_is_taken_over(tmp_path: Path, trials: Trials) -> None:
    """As made by tempfile.NamedTemporaryFile."""
    (tmp_path / "t").touch()
    Journal.open(tmp_path / "t", trials)
    assert same(Trials.load(tmp_path / "t"), trials) and os.listdir(tmp_path) == ["t"]


def test_a_moved_file_that_goes_on_can_be_unpickled_again(tmp_path: Path, make: Any) -> None:
    a_search(tmp_path / "t", make)
    (tmp_path / "t").rename(tmp_path / "moved")
    trials = Trials.load(tmp_path / "moved")
    Journal.open(tmp_path / "moved", trials)
    with (tmp_path / "moved").open("rb") as file:
        assert same(pickle.load(file), trials)


def test_a_second_writer_is_refused(tmp_path: Path, make: Any) -> None:
    a_search(tmp_path / "t", make)
    first, second = Trials.load(tmp_path / "t"), Trials.load(tmp_path / "t")
    journals = [Journal.open(tmp_path / "t", trials) for trials in (first, second)]
    for trials in (first, second):
        trials.insert_trial_doc(make(3, 7.0))
    journals[0].append_changes(first)
    with pytest.raises(RuntimeError, match="one search at a time"):
        journals[1].append_changes(second)
    assert same(Trials.load(tmp_path / "t"), trials_from_docs(first._dynamic_trials))


def test_a_file_removed_meanwhile_is_written_again(tmp_path: Path, make: Any) -> None:
    trials, journal = a_search(tmp_path / "t", make)
    (tmp_path / "t").unlink()
    trials.insert_trial_doc(make(3, 7.0))
    journal.append_changes(trials)
    assert Trials.load(tmp_path / "t").tids == [0, 1, 2, 3]


def test_a_failed_write_is_made_up_for(tmp_path: Path, make: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk is full in the middle of a record, and has room again for the next."""
    trials, journal = a_search(tmp_path / "t", make)

    def half_a_write(path: Path, end: int, payloads: Any) -> int:
        with path.open("ab") as file:
            file.write(records.framed(payloads)[:20])
        raise OSError(28, "No space left on device")

    trials.insert_trial_doc(make(3, 7.0))
    with monkeypatch.context() as patch:
        patch.setattr(records, "append", half_a_write)
        with pytest.raises(OSError, match="No space left"):
            journal.append_changes(trials)
    assert len(Trials.load(tmp_path / "t")) == 3
    trials.insert_trial_doc(make(4, 8.0))
    journal.append_changes(trials)
    assert Trials.load(tmp_path / "t").tids == [0, 1, 2, 3, 4]


# -- broken files ------------------------------------------------------------------------------------------


def test_a_file_cut_at_any_byte_of_the_last_record_keeps_the_others(
    tmp_path: Path, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """And goes on from there: the broken end is cut off by the next append."""
    path = tmp_path / "t"
    trials, journal = a_search(path, make, n=2)
    whole = path.stat().st_size
    trials[1]["result"]["loss"] = 5.0
    journal.append_changes(trials)
    content = path.read_bytes()
    for cut in range(whole, len(content)):
        path.write_bytes(content[:cut])
        again = Trials.load(path)
        assert again.losses() == [0.0, 1.0]
    assert caplog.text.count("broken record") == len(content) - whole - 1
    again.insert_trial_doc(make(2, 9.0))
    Journal.open(path, again).append_changes(again)
    caplog.clear()
    assert Trials.load(path).losses() == [0.0, 1.0, 9.0] and caplog.text == ""


def test_a_flipped_byte_in_the_last_record_is_noticed(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "t"
    trials, journal = a_search(path, make, n=2)
    whole = path.stat().st_size
    trials[1]["result"]["loss"] = 5.0
    journal.append_changes(trials)
    content = bytearray(path.read_bytes())
    for at in range(whole, len(content)):
        content[at] ^= 0xFF
        path.write_bytes(content)
        content[at] ^= 0xFF
        assert Trials.load(path).losses() == [0.0, 1.0]


def test_a_damaged_record_in_the_middle_costs_what_it_held_and_nothing_else(
    tmp_path: Path, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The record with the result of trial 0 of three has a flipped byte: that trial is as it was before."""
    path = tmp_path / "t"
    trials = Trials()
    journal = Journal.open(path, trials)
    ends = []
    for tid in trials.new_trial_ids(3):
        trials.insert_trial_doc(make(tid, state=0))
        trials.refresh()
        journal.append_changes(trials)
        ends.append(path.stat().st_size)
        trials[-1].update(state=2, result={"status": "ok", "loss": float(tid)})
        trials.refresh()
        journal.append_changes(trials)
        ends.append(path.stat().st_size)
    content = bytearray(path.read_bytes())
    content[ends[1] - 1] ^= 0xFF
    path.write_bytes(content)

    again = Trials.load(path)

    assert again.tids == [0, 1, 2]
    assert again.losses() == [None, 1.0, 2.0]
    assert "damaged and passed over" in caplog.text
    again.insert_trial_doc(make(3, 9.0))
    Journal.open(path, again).append_changes(again)
    assert Trials.load(path).losses() == [None, 1.0, 2.0, 9.0]


KILLED = """
    import sys
    from hpspace import Trials
    from hpspace.trials.document import new_document
    from hpspace.trials.save import Journal

    trials = Trials()
    journal = Journal.open(sys.argv[1], trials)
    while True:
        (tid,) = trials.new_trial_ids(1)
        trials.insert_trial_doc(new_document(tid, {"x": tid / 7}))
        trials.refresh()
        trials[-1].update(state=2, result={"status": "ok", "loss": tid / 3, "noise": "." * 5000})
        journal.append_changes(trials)
        print(tid, flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL on Windows")
@pytest.mark.parametrize("trials_before", [3, 17, 60])
def test_a_killed_writer_loses_nothing_that_it_reported(tmp_path: Path, trials_before: int) -> None:
    """SIGKILL at an arbitrary moment; every trial whose append had returned is in the file."""
    path = tmp_path / "t"
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    reported = -1
    for line in process.stdout:
        reported = int(line)
        if reported == trials_before:
            process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    trials = Trials.load(path)
    assert len(trials) in (reported + 1, reported + 2)
    assert trials.losses() == [tid / 3 for tid in range(len(trials))]


def test_creating_a_file_never_leaves_half_of_one(
    tmp_path: Path, trials: Trials, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dying before the rename leaves the old file untouched."""
    old, _ = a_search(tmp_path / "t", make)

    def dies(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", dies)
    with pytest.raises(KeyboardInterrupt):
        trials.save(tmp_path / "t")
    assert same(Trials.load(tmp_path / "t"), old)


@pytest.mark.parametrize("content", [b"", b"no pickle", b"\x80\x04", b"(lp0\n."])
def test_what_is_no_trials_file_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(ValueError, match="other holds no trials"):
        Trials.load(tmp_path / "other")


def test_a_file_that_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Trials.load(tmp_path / "nothing")


def test_a_folder_that_is_not_there_is_named_before_anything_runs(tmp_path: Path) -> None:
    def objective(x: float) -> float:
        raise AssertionError("ran")

    with pytest.raises(FileNotFoundError, match=r"folder that exists.*nowhere'$"):
        fmin(objective, hp.uniform("x", 0, 1), max_evals=1, trials_save_file=str(tmp_path / "nowhere" / "t"))


def test_reading_the_header_of_a_foreign_pickle_runs_nothing(tmp_path: Path) -> None:
    """Whether a file is a journal is found out without calling what it names."""

    class Bomb:
        def __reduce__(self) -> Any:
            return os.mkdir, (str(tmp_path / "exploded"),)

    (tmp_path / "bomb").write_bytes(pickle.dumps(Bomb()))
    with (tmp_path / "bomb").open("rb") as file:
        assert records.read_header(file) is None
    assert not (tmp_path / "exploded").exists()


def test_a_record_of_a_later_release_is_refused_with_the_reason(tmp_path: Path, make: Any) -> None:
    _, journal = a_search(tmp_path / "t", make)
    records.append(tmp_path / "t", journal._end, [pickle.dumps(("novelty", 1))])
    with pytest.raises(ValueError, match="a record of kind 'novelty', which this release"):
        Trials.load(tmp_path / "t")


# -- plain pickles -----------------------------------------------------------------------------------------


def test_a_plain_pickle_loads_and_becomes_a_journal(tmp_path: Path, trials: Trials, make: Any) -> None:
    """A file written by an earlier script, or by joblib-free user code; nothing is set aside."""
    (tmp_path / "t").write_bytes(pickle.dumps(trials))
    again = Trials.load(tmp_path / "t")
    assert same(again, trials)
    again.insert_trial_doc(make(9, 1.0))
    Journal.open(tmp_path / "t", again).append_changes(again)
    assert Trials.load(tmp_path / "t").tids == [0, 1, 2, 3, 9] and os.listdir(tmp_path) == ["t"]


def test_a_file_written_by_hyperopt_loads(tmp_path: Path) -> None:
    """``fmin(trials_save_file=...)`` of Hyperopt 0.3.0: 12 evaluations, two of which raised."""
    file = Path(__file__).parent / "data" / "hyperopt-0.3.0.pkl"
    (tmp_path / "t").write_bytes(file.read_bytes())
    trials = Trials.load(tmp_path / "t")
    assert len(trials) == 10 and trials.count_by_state_unsynced(3) == 2
    assert trials.best_trial["tid"] == 7 and trials.argmin == {"c": 0, "x": 0.15953324416396486}
    assert trials.new_trial_ids(1) == [12] and type(trials) is Trials
    Journal.open(tmp_path / "t", trials)
    assert same(Trials.load(tmp_path / "t"), trials)


# -- results of every kind ---------------------------------------------------------------------------------


def test_what_cannot_be_pickled_is_replaced_and_nothing_else_is(
    tmp_path: Path, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """The trial in memory keeps the object; the log names trial and key."""
    lock = threading.Lock()
    trials = trials_from_docs([make(0, 1.0), make(5, 2.0, parts={"lock": lock, "ok": (1, [lock])})])
    with caplog.at_level(logging.WARNING):
        trials.save(tmp_path / "t")
    again = Trials.load(tmp_path / "t")
    assert again.losses() == [1.0, 2.0]
    assert again[1]["result"]["parts"] == {
        "lock": Unpicklable(repr(lock)),
        "ok": (1, [Unpicklable(repr(lock))]),
    }
    assert trials[1]["result"]["parts"]["lock"] is lock
    assert "trial 5['result']['parts']['lock'] cannot be pickled" in caplog.text


def test_an_unpicklable_attachment_is_replaced(
    tmp_path: Path, trials: Trials, caplog: pytest.LogCaptureFixture
) -> None:
    trials.attachments["lock"] = threading.Lock()
    trials.save(tmp_path / "t")
    assert isinstance(Trials.load(tmp_path / "t").attachments["lock"], Unpicklable)
    assert "attachment 'lock' cannot be pickled" in caplog.text


class Hostile:
    """Refuses everything."""

    def __reduce__(self) -> Any:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_not_even_a_broken_repr_stops_saving(tmp_path: Path, make: Any) -> None:
    trials_from_docs([make(0, 1.0, bad=Hostile())]).save(tmp_path / "t")
    assert "Hostile object at" in Trials.load(tmp_path / "t")[0]["result"]["bad"].text


def test_functions_of_a_script_are_kept_by_value(tmp_path: Path, make: Any) -> None:
    trials_from_docs([make(0, 1.0, f=lambda v: v + 1, array=np.arange(2))]).save(tmp_path / "t")
    assert Trials.load(tmp_path / "t")[0]["result"]["f"](1) == 2


class WithArguments(Trials):
    def __init__(self, name: str) -> None:
        self.name = name
        self.lock = threading.Lock()
        super().__init__()


def test_a_subclass_comes_back_as_itself(tmp_path: Path, make: Any, caplog: pytest.LogCaptureFixture) -> None:
    """With its attributes, apart from those that cannot be pickled."""
    trials = WithArguments("mine")
    journal = Journal.open(tmp_path / "t", trials)
    trials.insert_trial_doc(make(0, 1.0))
    journal.append_changes(trials)
    again = Trials.load(tmp_path / "t")
    assert type(again).__name__ == "WithArguments" and again.name == "mine"  # type: ignore[attr-defined]
    assert isinstance(again.lock, Unpicklable) and again.tids == [0]  # type: ignore[attr-defined]
    assert "lock" in caplog.text


def test_a_view_saves_the_whole_store(tmp_path: Path, make: Any) -> None:
    store = trials_from_docs([make(0, 1.0, exp_key="a")], exp_key="a")
    b = store.view("b")
    b.insert_trial_doc(make(1, 2.0, exp_key="b"))
    b.refresh()
    b.save(tmp_path / "t")
    again = Trials.load(tmp_path / "t")
    assert (again._exp_key, again.tids, again.view(None).tids) == ("b", [1], [0, 1])


def test_a_relative_path_is_the_same_file_after_a_change_of_folder(
    tmp_path: Path, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    trials, journal = a_search(Path("t"), make)
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    trials.insert_trial_doc(make(3, 7.0))
    journal.append_changes(trials)
    assert os.listdir(tmp_path / "sub") == [] and len(save.load(tmp_path / "t")) == 4


def test_a_document_edited_everywhere_at_once(tmp_path: Path) -> None:
    """Replaced by another object with the same id, as a client of a database does."""
    trials = trials_from_docs([new_document(0, {"x": 1.0})])
    journal = Journal.open(tmp_path / "t", trials)
    trials._dynamic_trials[0] = new_document(0, {"x": 2.0})
    journal.append_changes(trials)
    assert Trials.load(tmp_path / "t").vals == {"x": [2.0]}
