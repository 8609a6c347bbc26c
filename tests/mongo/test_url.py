"""Addresses: what they mean, what pymongo is told, and that no password is ever shown."""

from __future__ import annotations

import pickle
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given as hypothesis_given
from hypothesis import strategies as st
from pymongo.uri_parser import parse_uri

from hpspace.exceptions import UnknownStore
from hpspace.trials.mongo import where
from hpspace.trials.mongo.url import MongoUrl, as_mongo_str, parse, parse_url, redacted

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mongo://h:1234/db/jobs", MongoUrl("mongo", ("h:1234",), "db")),
        ("mongo://h/db", MongoUrl("mongo", ("h",), "db")),
        ("mongo://h:1/db/other#e1", MongoUrl("mongo", ("h:1",), "db", "other", exp_key="e1")),
        ("mongo://h/db#a@b c%20d", MongoUrl("mongo", ("h",), "db", exp_key="a@b c d")),
        ("mongo://u:p%40%2Fw@h:1/db/jobs", MongoUrl("mongo", ("h:1",), "db", user="u", password="p@/w")),
        ("mongo://u:p@w%@h:1/db", MongoUrl("mongo", ("h:1",), "db", user="u", password="p@w%")),
        ("mongodb://a:1,b,[::1]:2/db", MongoUrl("mongodb", ("a:1", "b", "[::1]:2"), "db")),
        (
            "mongodb://h/db?tls=true&w=1#e",
            MongoUrl("mongodb", ("h",), "db", options="tls=true&w=1", exp_key="e"),
        ),
        ("mongodb+srv://u@x.y/db", MongoUrl("mongodb+srv", ("x.y",), "db", user="u")),
    ],
)
def test_addresses_are_taken_apart(text: str, expected: MongoUrl) -> None:
    """Hyperopt's form and the standard ones; ports, the collection and the experiment are optional."""
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "h:1/db",
        "http://h/db",
        "mongo://h:1",
        "mongo://h:1/",
        "mongo:///db",
        "mongo://:1/db",
        "mongo://h:x/db",
        "mongo://h:0/db",
        "mongo://h:99999/db",
        "mongo://h/a/b/c",
        "mongo://h/a b",
        "mongo://h,/db",
        "mongodb+srv://h:1/db",
        "mongodb+srv://a,b/db",
        "mongo+ssh://h:1/db/jobs",
        f"mongo://u:{SECRET}/x@h:1/db/jobs",
        f"mongo://u:{SECRET}#x@h:1/db/jobs",
        f"mongo://u:1{SECRET}?x@h:1/db/jobs",
        f"mongo://u:{SECRET}@h:nine/db/jobs",
        f"mongo+ssh://u:{SECRET}@h:1/db/jobs",
    ],
)
def test_wrong_addresses_say_what_is_wanted(text: str) -> None:
    """A ValueError with the address, whose password is hidden however it is spoilt, and the form it should have."""
    with pytest.raises(ValueError, match="wanted: mongo://") as caught:
        parse(text)
    assert redacted(text) in str(caught.value)
    assert SECRET not in str(caught.value)


def test_an_address_is_a_text() -> None:
    with pytest.raises(UnknownStore, match="not 17"):
        parse(17)  # type: ignore[arg-type]


texts = st.text(st.characters(exclude_categories=["Cs"]))


@hypothesis_given(texts.filter(bool), texts)
def test_pymongo_gets_user_and_password_as_they_were_meant(user: str, password: str) -> None:
    """Whatever characters they have, encoded by the rules of addresses."""
    text = f"mongo://{quote(user, safe='')}:{quote(password, safe='')}@h:1/db/jobs?authSource=admin"
    url = parse(text)
    assert (url.user, url.password) == (user, password)
    understood = parse_uri(url.uri)
    assert (understood["username"], understood["password"] or "") == (user, password)
    assert understood["nodelist"] == [("h", 1)] and understood["database"] == "db"


@pytest.mark.parametrize("form", [repr, str, lambda url: url.shown, lambda url: redacted(url.uri)])
def test_no_form_of_an_address_shows_secrets(form) -> None:
    """The password of the user, and those among the options."""
    url = parse(
        f"mongodb://u:{SECRET}@h/db?tlsCertificateKeyFilePassword={SECRET}&authMechanismProperties=a:{SECRET}"
    )
    assert SECRET in url.uri
    assert SECRET not in form(url)


def test_options_reach_pymongo(tmp_path: Path) -> None:
    """TLS, replica sets, time limits: everything behind the question mark, in every form of address."""
    (tmp_path / "ca.pem").touch()
    authority = quote(str(tmp_path / "ca.pem"), safe="")
    options = f"tls=true&tlsCAFile={authority}&replicaSet=rs0&readPreference=nearest&socketTimeoutMS=7000"
    understood = parse_uri(parse(f"mongo://a:1/db/jobs?{options}").uri)["options"]
    assert understood["tls"] is True and understood["tlsCAFile"] == str(tmp_path / "ca.pem")
    assert understood["replicaSet"] == "rs0" and understood["readPreference"] == "nearest"
    assert understood["socketTimeoutMS"] == 7.0


@pytest.mark.parametrize(
    ("text", "source"),
    [
        ("mongo://hyperopt:x@h/db", "admin"),
        ("mongo://ann:x@h/db", "db"),
        ("mongo://hyperopt:x@h/db?authSource=users", "users"),
        ("mongodb://ann:x@h/db", "db"),
    ],
)
def test_users_are_looked_for_where_hyperopt_and_the_standard_say(text: str, source: str) -> None:
    understood = parse_uri(parse(text).uri)
    assert understood["options"].get("authSource", understood["database"]) == source


def test_hyperopts_functions() -> None:
    assert tuple(parse_url("mongo://ann:p%40@h:1234/foo/jobs?authSource=admin")) == (
        "mongo",
        "ann",
        "p@",
        "h",
        1234,
        "foo",
        "jobs",
        "admin",
    )
    assert "p@" not in repr(parse_url("mongo://ann:p%40@h:1234/foo/jobs"))
    assert as_mongo_str("h:1/db") == "mongo://h:1/db" == as_mongo_str("mongo://h:1/db")


def test_a_password_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("from file\n")
    assert parse_url("mongo://ann@h:1/foo/jobs", tmp_path / "pw").password == "from file"


class TestWhere:
    """Which address is meant when none is given, or one without its password."""

    @pytest.fixture(autouse=True)
    def nowhere(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        for name in (where.URL_VARIABLE, where.FILE_VARIABLE):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
        monkeypatch.setenv("HOME", str(tmp_path))

    def test_without_any_the_ways_are_named(self) -> None:
        with pytest.raises(UnknownStore, match=r"HPSPACE_MONGO_URL.*hpspace mongo up"):
            where.given(None)

    def test_the_environment_goes_before_the_file_and_that_before_the_local_server(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        local = where.default_folder() / where.ADDRESS
        local.parent.mkdir(parents=True)
        local.write_text("mongo://local/db\n")
        assert where.given(None).hosts == ("local",)
        (tmp_path / "address").write_text("mongo://file/db\n")
        monkeypatch.setenv(where.FILE_VARIABLE, str(tmp_path / "address"))
        assert where.given(None).hosts == ("file",)
        monkeypatch.setenv(where.URL_VARIABLE, "mongo://variable/db")
        assert where.given(None).hosts == ("variable",)
        assert where.given("mongo://argument/db").hosts == ("argument",)

    def test_a_file_that_is_missing_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(where.FILE_VARIABLE, "/no/such")
        with pytest.raises(UnknownStore, match="/no/such"):
            where.given(None)

    @pytest.mark.parametrize("text", ["mongo://ann@h/other", "mongo://ann:***@h/other"])
    def test_a_missing_password_is_that_of_the_same_user_elsewhere(
        self, monkeypatch: pytest.MonkeyPatch, text: str
    ) -> None:
        """So an address may stand on a command line, or be copied from a log."""
        monkeypatch.setenv(where.URL_VARIABLE, f"mongo://ann:{SECRET}@h/db")
        assert where.given(text).password == SECRET
        assert where.given(text.replace("@h", "@elsewhere")).password is None
        assert where.given(text.replace("ann", "bob")).password is None

    def test_hyperopts_password_file_is_read(self, tmp_path: Path) -> None:
        (tmp_path / ".hyperopt").write_text("of old\n")
        assert where.given("mongo://ann@h/db").password == "of old"
        assert where.given("mongodb://ann@h/db").password is None


def test_addresses_can_be_pickled() -> None:
    url = parse("mongo://h:1/db#e")
    assert pickle.loads(pickle.dumps(url)) == url
