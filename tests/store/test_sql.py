from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from leanloop.core.errors import BadInputError
from leanloop.store.database import Database
from leanloop.store.protocol import Control, StudyRecord
from leanloop.store.sql import SqlStore
from tests.store.conformance import StoreConformance, make_run


class TestSqlStore(StoreConformance):
    @pytest.fixture
    def reopen(self, tmp_path):
        return lambda: SqlStore(tmp_path / "folder" / "s.sqlite")


def test_write_ahead_log_is_on(tmp_path):
    database = Database(tmp_path / "s.sqlite")
    with database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    database.close()


def test_a_folder_is_no_store(tmp_path):
    with pytest.raises(BadInputError, match="not a store"):
        SqlStore(tmp_path)


def test_programs_that_come_first_at_once_all_open_it(tmp_path):
    at_once = Barrier(4)

    def first(folder):
        at_once.wait()
        store = SqlStore(folder / "s.sqlite")
        found = store.studies()
        store.close()
        return found

    with ThreadPoolExecutor(4) as pool:
        for i in range(20):
            folder = tmp_path / str(i)
            assert list(pool.map(first, [folder] * 4)) == [[]] * 4


def test_a_store_that_was_made_before_gets_the_new_tables(tmp_path):
    place = tmp_path / "s.sqlite"
    store = SqlStore(place)
    store.open_study(StudyRecord("s", "{}", "f"))
    store.record("s", make_run("t1"))
    store.close()
    with sqlite3.connect(place) as old:
        old.executescript("DROP TABLE controls; DROP TABLE standings")
    again = SqlStore(place)
    assert again.control("s") == Control()
    again.ask("s", "stop")
    again.save_standing("s", b"{}")
    assert again.control("s").state == "stop"
    assert len(again.runs("s")) == 1
    again.close()
