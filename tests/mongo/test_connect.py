"""Patience: what is repeated, for how long, and what is said meanwhile. No server is needed for most of it."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest
from pymongo import MongoClient, errors

from hpspace.exceptions import (
    StoreError,
    StoreFull,
    StoreRefused,
    StoreTooNew,
    StoreUnavailable,
    UnknownStore,
)
from hpspace.run.mongod import Server
from hpspace.trials.mongo import connect
from hpspace.trials.mongo.connect import Link
from hpspace.trials.mongo.contact import Contact
from hpspace.trials.mongo.errors import is_away, reason
from hpspace.trials.mongo.store import open_store
from hpspace.trials.mongo.url import parse

SECRET = "s3cret"


def primary_lost(label: str) -> errors.OperationFailure:
    return errors.OperationFailure("gone", 1, {"errorLabels": [label]})


def bulk(*codes: int) -> errors.BulkWriteError:
    return errors.BulkWriteError(
        {"writeErrors": [{"code": code} for code in codes], "writeConcernErrors": []}
    )


@pytest.mark.parametrize(
    "error",
    [
        errors.AutoReconnect("connection closed"),
        errors.NetworkTimeout("timed out"),
        errors.ServerSelectionTimeoutError("nobody"),
        errors.NotPrimaryError("not primary"),
        errors.OperationFailure("interrupted at shutdown", 11600),
        errors.WriteConcernError("stepped down", 189),
        errors.CursorNotFound("after a restart", 43),
        primary_lost("RetryableWriteError"),
        bulk(11602, 91),
    ],
)
def test_a_server_that_is_away_is_waited_for(error: errors.PyMongoError) -> None:
    assert is_away(error)


@pytest.mark.parametrize(
    "error",
    [
        errors.OperationFailure("Authentication failed.", 18),
        errors.OperationFailure("bad pipeline", 40324),
        errors.DuplicateKeyError("there already", 11000),
        errors.InvalidDocument("what"),
        errors.ConfigurationError("no such option"),
        bulk(11600, 11000),
    ],
)
def test_what_waiting_does_not_cure_is_raised(error: errors.PyMongoError) -> None:
    assert not is_away(error)


@pytest.fixture
def link() -> Iterator[Link]:
    link = Link(parse(f"mongo://ann:{SECRET}@db.example:1/x"))
    yield link
    link.close()


def failing(times: int, error: Exception) -> Callable[[], str]:
    """Return an operation that fails some times before it works."""
    left = [error] * times

    def operation() -> str:
        if left:
            raise left.pop()
        return "done"

    return operation


def test_an_outage_is_one_line_in_the_log_and_its_end_another(
    link: Link, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connect, "FIRST_PAUSE", 0.001)
    with caplog.at_level(logging.INFO):
        assert link.insist(failing(5, errors.AutoReconnect("connection closed"))) == "done"
    away, back = (record.getMessage() for record in caplog.records)
    assert "db.example:1" in away and "connection closed" in away and "waiting" in away
    assert "is back after" in back
    assert SECRET not in caplog.text


def test_pauses_grow_to_five_seconds() -> None:
    pauses = connect.pauses()
    seconds = [next(pauses) for _ in range(20)]
    assert seconds[:3] == [0.05, 0.1, 0.2] and max(seconds) == 5.0 == seconds[-1]


def test_patience_ends(link: Link) -> None:
    """What is raised in the end names host and port and what to check."""
    link.patience = 0.0
    with pytest.raises(StoreUnavailable, match=r"db\.example:1 \(refused\).*firewall") as caught:
        link.insist(failing(9, errors.AutoReconnect("refused")))
    assert isinstance(caught.value, ConnectionError) and SECRET not in str(caught.value)


def test_closing_ends_the_wait(link: Link) -> None:
    """Or a process whose server is gone could not end."""
    tried = threading.Event()

    def operation() -> None:
        tried.set()
        raise errors.AutoReconnect("gone")

    def close() -> None:
        tried.wait()
        link.close()

    closer = threading.Thread(target=close)
    closer.start()
    with pytest.raises(StoreUnavailable):
        link.insist(operation)
    closer.join()


def test_closing_does_not_wait_for_a_goodbye_that_nobody_hears(
    link: Link, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client whose server is gone looks for it in order to end its sessions; others get a new one meanwhile."""
    heard = threading.Event()
    monkeypatch.setattr(connect, "GOODBYE", 0.01)
    link._clients[os.getpid()] = SimpleNamespace(close=heard.wait)  # type: ignore[assignment]
    link.close()
    assert not heard.is_set() and link._clients == {}
    heard.set()


def test_after_an_interrupt_nobody_is_kept_waiting(link: Link, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the server is away: what cleans up afterwards gives up soon, until the server is back."""
    monkeypatch.setattr(connect, "BRIEF", 0.0)
    with pytest.raises(KeyboardInterrupt):
        link.insist(failing(1, KeyboardInterrupt()))  # type: ignore[arg-type]
    with pytest.raises(StoreUnavailable):
        link.insist(failing(9, errors.AutoReconnect("gone")))
    assert link.insist(failing(0, ValueError())) == "done"
    assert link.insist(failing(1, errors.AutoReconnect("gone"))) == "done"


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (errors.OperationFailure("Authentication failed.", 18), StoreRefused, "refuses user 'ann'.*password"),
        (errors.OperationFailure("not authorized on x", 13), StoreRefused, "not allow this to user 'ann'"),
        (errors.OperationFailure("no space left", 14031), StoreFull, "disk of the server is full"),
        (errors.OperationFailure("odd", 99999), StoreError, "odd"),
    ],
)
def test_other_errors_are_explained(link: Link, error: Exception, kind: type[StoreError], words: str) -> None:
    with pytest.raises(kind, match=words) as caught:
        link.insist(failing(1, error))
    assert "db.example:1" in str(caught.value) and SECRET not in str(caught.value)


def test_reasons_leave_out_what_the_client_knows_of_the_servers() -> None:
    long = "h:1: [Errno 111] Connection refused (configured timeouts: a: 1), Timeout: 5.0s, Topology Description: <...>"
    assert reason(errors.ServerSelectionTimeoutError(long)) == "h:1: [Errno 111] Connection refused"


class TestOpening:
    """The first contact has to succeed, or to fail clearly and soon."""

    def test_a_closed_port(self) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
            with pytest.raises(StoreUnavailable, match=f"127.0.0.1:{port}.*check that it runs"):
                open_store(f"mongo://127.0.0.1:{port}/x?serverSelectionTimeoutMS=200", timeout=0.1)

    def test_a_host_that_is_unknown(self) -> None:
        with pytest.raises(StoreUnavailable, match=r"no\.such\.host\.invalid"):
            open_store("mongo://no.such.host.invalid/x?serverSelectionTimeoutMS=200", timeout=0.1)

    def test_options_that_pymongo_refuses(self) -> None:
        with pytest.raises(ValueError, match="tlsInsecure") as caught:
            open_store(f"mongo://ann:{SECRET}@h/x?tls=true&tlsInsecure=true&tlsAllowInvalidCertificates=true")
        assert SECRET not in str(caught.value)

    def test_a_file_that_an_option_names_and_that_is_missing(self) -> None:
        with pytest.raises(UnknownStore, match=r"/no/ca\.pem"):
            open_store("mongo://h/x?tls=true&tlsCAFile=/no/ca.pem")

    def test_tls_is_tried_when_asked_for(self, mongod_standalone: Server) -> None:
        """The server here speaks none, so that the handshake fails, and says so."""
        host = parse(mongod_standalone.url).hosts[0]
        with pytest.raises(StoreUnavailable, match="SSL"):
            open_store(f"mongo://{host}/x?tls=true&serverSelectionTimeoutMS=500", timeout=0.1)

    @pytest.mark.parametrize("who", ["hpspace:wrong@", ""])
    def test_a_wrong_password_and_none(self, mongod_replset: Server, who: str) -> None:
        host = parse(mongod_replset.url).hosts[0]
        with pytest.raises(StoreRefused, match=host) as caught:
            open_store(f"mongodb://{who}{host}/x?authSource=admin")
        assert "wrong" not in str(caught.value).replace("is wrong", "")

    def test_a_password_with_every_awkward_character(self, mongod_replset: Server) -> None:
        host = parse(mongod_replset.url).hosts[0]
        with MongoClient(mongod_replset.url) as client:
            client.awkward.command("createUser", "a:b@c", pwd="p/?#[]@:%20é", roles=["readWrite", "dbAdmin"])
        address = f"mongo://a%3Ab%40c:p%2F%3F%23%5B%5D%40%3A%2520%C3%A9@{host}/awkward/jobs"
        store = open_store(address)
        assert store.new_tids(1) == [0]
        store.close()

    def test_a_database_of_a_later_release(self, standalone_url: str) -> None:
        open_store(standalone_url).close()
        with MongoClient(standalone_url) as client:
            client.get_default_database()["hpspace"].update_one({}, {"$set": {"schema": 99}})
        with pytest.raises(StoreTooNew, match="version 99"):
            open_store(standalone_url)


def test_a_closed_store_opens_again_when_it_is_used(standalone_url: str) -> None:
    store = open_store(standalone_url)
    store.close()
    assert store.new_tids(2) == [0, 1]
    store.close()


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # threads of pymongo: that is the point
def test_a_forked_process_has_a_client_of_its_own(standalone_url: str) -> None:
    """A client of pymongo does not survive a fork; the child would hang or garble what the parent sends."""
    store = open_store(standalone_url)
    store.new_tids(1)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writing, str(store.new_tids(1)).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(reading, 100) == b"[1]"
    os.close(reading)
    os.close(writing)
    assert store.new_tids(1) == [2]
    store.close()


class TestContact:
    """Who may say that a lease has run out: who was in touch for as long as it lasted."""

    def test_nobody_at_first(self) -> None:
        contact = Contact()
        assert not contact.steady(1.0, at=0.0)
        contact.heard(at=0.0)
        assert contact.steady(0.0, at=0.0) and not contact.steady(60.0, at=59.0)

    def test_after_a_lease_of_frequent_answers(self) -> None:
        contact = Contact()
        for second in range(0, 61, 5):
            contact.heard(at=second)
        assert contact.steady(60.0, at=60.0)

    @pytest.mark.parametrize(("silence", "steady"), [(29.0, True), (31.0, False)])
    def test_a_silence_of_half_a_lease_breaks_it(self, silence: float, steady: bool) -> None:
        contact = Contact()
        for second in range(0, 100, 10):
            contact.heard(at=second)
        contact.heard(at=90 + silence)
        assert contact.steady(60.0, at=90 + silence) is steady
        assert contact.steady(60.0, at=150 + silence) is False, "silent since"

    def test_few_silences_are_remembered(self) -> None:
        contact = Contact()
        for second in range(10_000):
            contact.heard(at=second * 0.5)
        assert len(contact._silences) == 2
