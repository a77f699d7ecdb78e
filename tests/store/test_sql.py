from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from leanloop.core.errors import BadInputError
from leanloop.store.sql import SqlStore
from tests.store.conformance import StoreConformance


class TestSqlStore(StoreConformance):
    @pytest.fixture
    def reopen(self, tmp_path):
        return lambda: SqlStore(tmp_path / "folder" / "s.sqlite")


def test_write_ahead_log_is_on(tmp_path):
    store = SqlStore(tmp_path / "s.sqlite")
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
    store.close()


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
