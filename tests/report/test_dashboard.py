"""The live page's server: what it tells, whom it turns away, and what it never says."""

from __future__ import annotations

import base64
import http.client
import json
import re
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import msgspec
import pytest

from leanloop.cli.dashboard import dashboard
from leanloop.core.configuration import Configuration
from leanloop.core.errors import BadInputError
from leanloop.core.run import Run, RunKey, Status
from leanloop.core.tokens import Tokens
from leanloop.models.builtin import ModelSpec
from leanloop.report.dashboard.asked import Order, carry_out
from leanloop.report.dashboard.redaction import Redaction, secrets_of
from leanloop.report.dashboard.run_view import Grounds, view_run
from leanloop.report.dashboard.study_board import StudyBoard
from leanloop.report.html import write_report
from leanloop.search.result import Result
from leanloop.search.snapshot import Snapshot
from leanloop.store.protocol import Control
from leanloop.store.sql import SqlStore
from tests.report.live import (
    HOSTILE,
    SECRET,
    big_run,
    leanloop,
    make_big,
    served,
)
from tests.report.results import result as made_result

KEY = "a-key-for-those-who-may"


class Answer(msgspec.Struct):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


def ask(url: str, path: str, method: str = "GET", body: Any = None, **headers: str) -> Answer:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    sent = {k.replace("_", "-"): v for k, v in headers.items()}
    raw = None if body is None else json.dumps(body)
    connection.request(method, path, raw, sent)
    got = connection.getresponse()
    found = Answer(got.status, {k.lower(): v for k, v in got.getheaders()}, got.read())
    connection.close()
    return found


@pytest.fixture(scope="module")
def url(place: Path) -> Iterator[str]:
    with served(place, OPENAI_API_KEY="sk-a-key-of-the-environment") as address:
        yield address


@pytest.fixture
def store(place: Path) -> Iterator[SqlStore]:
    opened = SqlStore(place)
    yield opened
    opened.close()


def result_of(store: SqlStore) -> Result:
    return msgspec.json.decode(store.result("coins") or b"", type=Result)


def test_a_study_that_is_over_shows_its_result(url, store):
    found, result = ask(url, "/api/study/coins").json, result_of(store)
    head, rows = found["head"], {r["id"]: r for r in found["rows"]}
    assert (head["state"], head["runs"]) == ("done", result.runs)
    assert head["finding"]["why"] == result.recommendation
    assert head["spent_usd"] == pytest.approx(result.search_usd)
    assert head["max_runs"] == 60
    for member in (result.baseline, *result.frontier, *result.others):
        row = rows[member.id]
        assert row["settings"] == member.settings
        assert row["search"]["tokens"][0] == pytest.approx(member.search.tokens.mean)
        assert row["search"]["success"][3] == member.search.success.n
    assert rows[result.baseline.id]["role"] == "baseline"
    assert {r["id"] for r in found["rows"] if r["role"] == "member"} >= {
        m.id for m in result.frontier if m.id != result.baseline.id
    }
    assert len(head["levers"]) == len(result.levers) == 4
    for dropped in result.dropped:
        assert dropped.rival in rows[dropped.id]["why"]


def test_a_configuration_has_all_of_its_runs(url, store):
    found = ask(url, f"/api/study/coins/configuration?id={result_of(store).baseline.id}").json
    own = [r for r in store.runs("coins") if r.key.configuration_id == found["row"]["id"]]
    assert [r["task"] for r in found["runs"]] == [r.key.task_id for r in own]
    assert found["runs"][0]["tokens"] == own[0].usage.tokens.total_tokens
    answer = ask(url, "/api/study/coins/configuration?id=nobody")
    assert answer.status == 400
    assert "is not in this study" in answer.json["error"]


def cached_run(store: SqlStore) -> Run:
    """A run with old results masked and a result from the cache."""
    for run in store.runs("coins"):
        if any(u.answered_by == "tools.result_cache" for s in run.steps for u in s.tool_uses):
            return run
    raise AssertionError


def test_a_run_has_its_steps_with_what_levers_did(url, store):
    run = cached_run(store)
    key = {"id": run.key.configuration_id, "task": run.key.task_id, "seed": "0"}
    found = ask(url, f"/api/study/coins/run?{urlencode(key)}").json
    assert len(found["steps"]) == len(run.steps)
    assert HOSTILE in found["prompt"]
    first = run.steps[0].model_calls[0]
    shown = found["steps"][0]["calls"][0]
    assert shown["tokens"]["uncached_input"] == first.tokens.uncached_input_tokens
    assert shown["tokens"]["reasoning"] == 0
    assert shown["usd"] > 0
    by = [u["answered_by"] for s in found["steps"] for u in s["tools"]]
    assert "tools.result_cache" in by
    assert len(found["others"]) > 1
    masking = Configuration({"memory.keep_observations": 1})
    stored = [r for r in store.runs("coins") if r.key.configuration_id == masking.id]
    assert stored, "each lever alone is run"
    key = {"id": masking.id, "task": stored[0].key.task_id, "seed": "0"}
    masked = ask(url, f"/api/study/coins/run?{urlencode(key)}").json
    changes = [c for s in masked["steps"] for c in s["sent"]["changes"]]
    assert {c["lever"] for c in changes} == {"memory.keep_observations"}
    assert all(c["chars_after"] < c["chars_before"] for c in changes)
    whole = ask(url, f"/api/study/coins/run?{urlencode(key)}&step=2").json
    assert whole["messages"][0] == {"role": "system", "text": "You know coins."}
    assert "[older observation left out]" in [m["text"] for m in whole["messages"]]
    assert ask(url, f"/api/study/coins/run?{urlencode(key)}&step=99").status == 400
    assert ask(url, f"/api/study/coins/run?{urlencode(key)}&step=no").status == 400
    assert ask(url, "/api/study/coins/run?id=no&task=one").status == 400


def test_what_is_unknown_stays_unknown(store):
    run = cached_run(store)
    step = run.steps[0]
    call = msgspec.structs.replace(step.model_calls[0], tokens=Tokens(5, None, 0, 0, 2, 0))
    blind = msgspec.structs.replace(
        run, steps=(msgspec.structs.replace(step, model_calls=(call,)), *run.steps[1:])
    )
    board = StudyBoard(store, "coins")
    grounds = Grounds(board.spec, asked=False)
    found = view_run(blind, None, board.spec.price_book(), grounds)
    assert found["usd"] is None
    assert found["tokens"]["cache_read"] is None
    assert found["steps"][0]["calls"][0]["usd"] is None
    assert found["steps"][0]["sent"] is None
    assert found["notes"] == [
        "the suite was not to be loaded (--no-suite)",
        "what was on is not known yet",
    ]


def test_a_gateway_has_sessions_breaks_caps_and_a_canary(url):
    found = ask(url, "/api/gateway/gw").json
    head = found["head"]
    assert (head["sessions"], head["total"]["calls"], head["with_outcome"]) == (6, 18, 6)
    assert head["total"]["usd"] > 0
    assert {(c["scope"], c["unit"], c["most"]) for c in head["caps"]} == {
        ("day", "usd", 2.0),
        ("session", "tokens", 500.0),
    }
    (broken,) = head["breaks"]
    assert broken["why"] == "history edited"
    assert broken["usd"] > 0
    arms = {a["arm"]: a for a in head["canary"]["arms"]}
    assert arms["as before"]["outcomes"] + arms["canary"]["outcomes"] == 6
    assert not head["canary"]["fell_back"]
    session = ask(url, f"/api/gateway/gw/session?id={found['rows'][0]['id']}").json
    assert len(session["calls"]) == 3
    assert session["calls"][0]["input"] == 25
    assert ask(url, "/api/gateway/gw/session?id=none").status == 400
    assert ask(url, "/api/gateway/coins").status == 400
    assert ask(url, "/api/study/gw").status == 400


def test_all_of_them_are_listed(url):
    assert ask(url, "/api/list").json == {"studies": ["coins"], "gateways": ["gw"]}


def test_no_page_beside_its_own(url):
    for path in ("/assets/none.js", "/assets/pages.py", "/assets/..%2Fhtml.py", "/x", "/api/x"):
        assert ask(url, path).status == 404
    assert ask(url, "/assets/%2e%2e%2f%2e%2e%2fhtml.js").status == 404
    page = ask(url, "/study/coins")
    assert page.status == 200
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert b"http" not in page.body.replace(b"http-equiv", b"")


def test_pages_of_other_sites_are_turned_away(url):
    own = urlsplit(url).netloc
    order = {"action": "raise", "max_runs": 99}
    kind = {"content_type": "application/json"}
    control = "/api/study/coins/control"
    for headers in (
        {"host": "evil.example"},
        {"origin": "http://evil.example"},
        {"origin": "http://127.0.0.1:1"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site"},
    ):
        assert ask(url, control, "POST", order, **kind, **headers).status == 403, headers
        assert ask(url, "/api/list", **headers).status == 403, headers
    assert ask(url, control, "POST", order, content_type="text/plain").status == 415
    assert ask(url, control, "POST", {"action": "x" * 9999}, **kind).status == 415
    assert ask(url, control, "POST", {"action": "sing"}, **kind).status == 400
    # A link from elsewhere may lead here, and our own page may ask.
    assert ask(url, "/", sec_fetch_site="cross-site", sec_fetch_mode="navigate").status == 200
    assert ask(url, "/api/list", origin=f"http://{own}", sec_fetch_site="same-origin").status == 200


def test_orders_that_make_no_sense_are_refused(url, store):
    def told(order: Any) -> str:
        answer = ask(
            url, "/api/study/coins/control", "POST", order, content_type="application/json"
        )
        assert answer.status == 400
        return str(answer.json["error"])

    assert "no process runs this study now" in told({"action": "pause"})
    assert "a cap is only raised: name more than 60" in told({"action": "raise", "max_runs": 60})
    assert "name more than 5" in told({"action": "raise", "max_usd": 0.01})
    assert "takes max_usd" in told({"action": "raise"})
    assert store.control("coins") == Control()
    head = {"state": "running", "max_usd": None, "spent_usd": 1, "max_runs": 5, "search_runs": 1}
    with pytest.raises(BadInputError, match="no such cap"):
        carry_out(Order("raise", max_usd=5.0), store, "coins", head)


def test_with_keys_nobody_else_comes_in(place):
    with served(place, "coins", "--no-suite", LEANLOOP_GATEWAY_KEYS=f"other-key,{KEY}") as page:
        url = page.removesuffix("/study/coins")
        assert url != page
        refused = ask(url, "/api/list")
        assert refused.status == 401
        assert refused.headers["www-authenticate"].startswith("Basic")
        word = base64.b64encode(f"me:{KEY}".encode()).decode()
        wrong = base64.b64encode(b"me:wrong").decode()
        assert ask(url, "/api/list", authorization=f"Basic {word}").status == 200
        assert ask(url, "/api/list", authorization=f"Basic {wrong}").status == 401
        assert ask(url, "/api/list", authorization="Basic ???").status == 401
        assert ask(url, "/api/list", x_leanloop_key=KEY, origin="http://evil.example").status == 403


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"study": "nobody"}, "studies there: coins, gw"),
        ({"gateway": "nobody"}, "gateway 'nobody': is not in the store; gateways: gw"),
        ({"study": "coins", "gateway": "gw"}, "name one of the two"),
        ({"host": "0.0.0.0"}, "can be reached by others"),
        ({"host": "example.org"}, "can be reached by others"),
    ],
)
def test_bad_input_is_told(place, monkeypatch, options, said):
    monkeypatch.delenv("LEANLOOP_GATEWAY_KEYS", raising=False)
    with pytest.raises(BadInputError, match=re.escape(said)):
        dashboard(**options, store=str(place), port=0)


def test_no_store_is_one_line_and_none_is_made(tmp_path):
    with leanloop("dashboard", "--store", tmp_path / "none.sqlite", "--json") as process:
        out, errors = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "no such store" in errors
    assert len(errors.splitlines()) == 1
    assert out == ""
    assert list(tmp_path.iterdir()) == []


def test_json_says_once_what_the_page_shows(place, url):
    with leanloop("dashboard", "coins", "--store", place, "--json") as process:
        out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    found, shown = json.loads(out), ask(url, "/api/study/coins").json
    assert found["head"] == shown["head"]
    assert sorted(r["id"] for r in found["rows"]) == sorted(r["id"] for r in shown["rows"])


def test_secrets_are_nowhere(url, store):
    ids = {r.key.configuration_id for r in store.runs("coins")}
    paths = ["/", "/api/list", "/api/study/coins", "/api/gateway/gw"]
    paths += [f"/api/study/coins/configuration?id={i}" for i in ids]
    paths += [f"/api/study/coins/run?id={i}&task=search-0" for i in ids]
    for path in paths:
        body = ask(url, path).body
        assert SECRET.encode() not in body
        assert b"sk-a-key" not in body
        assert b"base_url" not in body


def test_secrets_are_found_wherever_they_turn_up(monkeypatch):
    monkeypatch.setenv("MY_KEY", 'key-"with"-quotes-ü')
    models = {
        "m": ModelSpec(
            "openai", "m", base_url="https://me:pass-word@host/v1?sig=abcdef", api_key_env="MY_KEY"
        )
    }
    redaction = Redaction(secrets_of(models))
    text = (
        'key-"with"-quotes-ü https://u:p@host/x postgresql://a@b/c pass-word sig=abcdef '
        "sk-proj-0123456789abcdef https://plain/x@y me@mail"
    )
    shown = json.loads(redaction.clean(msgspec.json.encode({"t": text})))["t"]
    assert (
        shown == "*** https://***@host/x postgresql://***@b/c *** *** *** https://plain/x@y me@mail"
    )
    assert "pass" not in repr(redaction)
    assert redaction.clean(json.dumps({"t": text}).encode()).count(b"***") == 6


class Counting:
    """A store that notes what is read of it."""

    def __init__(self, store: SqlStore) -> None:
        self._store = store
        self.read = 0
        self.results = 0

    def __getattr__(self, name: str) -> Any:
        assert name not in ("runs", "find"), "everything would be read again"
        return getattr(self._store, name)

    def recorded_after(self, *arguments: Any) -> Any:
        found = self._store.recorded_after(*arguments)
        self.read += len(found)
        return found

    def result(self, study: str) -> bytes | None:
        self.results += 1
        return self._store.result(study)


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    place = tmp_path_factory.mktemp("big") / "store.sqlite"
    return place, make_big(place)


def test_a_change_of_a_large_study_costs_the_server_little(big):
    place, ids = big
    store = SqlStore(place)
    counting = Counting(store)
    board = StudyBoard(counting, "big")
    polls = next(i for i in count(1) if not board.poll())
    assert polls > 5
    assert counting.read == 25_000
    version, results = board.version, counting.results
    store.record("big", big_run(RunKey(ids[7], "t777"), True, 1.0))
    start = time.perf_counter()
    board.poll()
    took = time.perf_counter() - start
    assert counting.read == 25_001
    assert counting.results == results
    changed = board.state(version)["rows"]
    assert [row["id"] for row in changed] == [ids[7]]
    assert changed[0]["search"]["success"][3] == 501
    assert took < 0.25
    assert not board.poll()
    assert board.state(board.version)["rows"] == []
    store.close()


def test_how_a_study_stands_follows_its_snapshots(big):
    place, ids = big
    store = SqlStore(place)
    _, raw = store.standing("big") or (0, b"")
    snapshot = msgspec.json.decode(raw, type=Snapshot)
    board = StudyBoard(store, "big")
    board.poll()
    assert board.state()["head"]["state"] == "running"
    store.ask("big", "pause")
    board.poll()
    assert board.state()["head"]["state"] == "paused"
    store.ask("big", "stop")
    board.poll()
    assert board.state()["head"]["state"] == "stopping"
    machine = snapshot.owner.rsplit("/", 2)[0]
    dead = msgspec.structs.replace(snapshot, owner=f"{machine}/{2**22 - 1}/x")
    store.save_standing("big", msgspec.json.encode(dead))
    board.poll()
    assert board.state()["head"]["state"] == "ended"
    rows = {r["id"]: r for r in board.state()["rows"]}
    assert rows[ids[0]]["role"] == "baseline"
    assert rows[ids[1]]["role"] == "member"
    assert rows[ids[9]]["role"] == "alive"
    assert rows[ids[30]]["role"] == "dropped"
    assert rows[ids[30]]["why"].startswith(f"shown beaten by {ids[1]}")
    store.save_standing("big", b"{of another version}")
    board.poll()
    store.close()


def test_a_run_in_the_place_of_an_outage_is_counted_once(tmp_path):
    store = SqlStore(tmp_path / "s.sqlite")
    make_big(tmp_path / "s.sqlite", 2, 3)
    board = StudyBoard(store, "big")
    board.poll()
    id_ = board.state()["head"]["baseline"]
    run = big_run(RunKey(id_, "late"), True, 1.0)
    out = msgspec.structs.replace(run, status=Status.OUTAGE, success=None, steps=())
    store.record("big", out)
    board.poll()
    assert board.state()["head"]["runs"] == 7
    store.record("big", run)
    board.poll()
    head, rows = board.state()["head"], board.state()["rows"]
    assert head["runs"] == 7
    assert next(r for r in rows if r["id"] == id_)["search"]["success"][3] == 4
    store.close()


def test_the_report_of_a_large_study_is_small(tmp_path):
    large = made_result(frontier=50)
    some = msgspec.structs.replace
    figures = large.frontier[0].search
    members = tuple(
        some(m, search=figures, holdout=figures, settings={**m.settings, f"memory.x{i}": i})
        for i, m in enumerate(large.frontier)
    )
    large = some(
        large,
        frontier=members[:10],
        others=members[10:],
        dropped=large.dropped * 30,
        levers=large.levers * 5,
        steps=large.steps * 8,
        runs=25_000,
        configurations=50,
    )
    write_report(large, tmp_path / "page.html")
    assert 100_000 < (tmp_path / "page.html").stat().st_size < 5_000_000
