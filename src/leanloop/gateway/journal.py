"""Records on disk before their calls end, and in the store a moment later."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

SUFFIX = ".journal"
BATCH = 500
RETRY_S = 1.0
GATHER_S = 0.25
"""Records of so many seconds go into the store together: they are on disk already."""
TRUNCATE_AT = 4 * 1024 * 1024
MOST_WAITING = 100_000
"""Records that wait for the store at most; then no more calls are let through."""


class Journal:
    """A file that records are appended to, and a thread that moves them into the store.

    A record is in the file before ``append`` returns, so a killed gateway loses none: the
    next one to start takes over what is left. Where the disk is full, records wait in
    memory and are tried again until there is room.

    Args:
        path: The file; its name holds the process's number.
        keep: Puts lines into the store in one transaction; a line that is there already
            is left as it is. Raises what it likes when it cannot.
        tell: Says what goes wrong, once each time that it begins to.
    """

    def __init__(
        self, path: Path, keep: Callable[[Sequence[bytes]], None], tell: Callable[[str], None]
    ) -> None:
        self._path = path
        self._keep = keep
        self._tell = tell
        self._waiting: deque[bytes] = deque()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._troubled: set[str] = set()
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        self._size = 0
        self._thread = threading.Thread(target=self._move, name="leanloop-journal", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """Whether so many records wait that no call should be made."""
        return len(self._waiting) >= MOST_WAITING

    @property
    def waiting(self) -> int:
        """Records that are not in the store yet."""
        return len(self._waiting)

    def append(self, line: bytes) -> None:
        """Write a record down; it is on its way to the store then."""
        with self._lock:
            try:
                self._write(line + b"\n")
                self._well("journal")
            except OSError as error:
                self._trouble("journal", f"{self._path}: {error.strerror}")
            self._waiting.append(line)
        self._wake.set()

    def close(self) -> None:
        """Move what is left; the file goes away when all of it is in the store."""
        self._closed.set()
        self._wake.set()
        self._thread.join(timeout=30)
        os.close(self._file)
        if not self._waiting:
            self._path.unlink(missing_ok=True)

    def _write(self, data: bytes) -> None:
        written = os.write(self._file, data)
        if written < len(data):
            # No half a line may stand before the next one.
            os.ftruncate(self._file, self._size)
            os.lseek(self._file, self._size, os.SEEK_SET)
            raise OSError(28, os.strerror(28))
        self._size += written

    def _move(self) -> None:
        while True:
            self._wake.wait()
            self._closed.wait(GATHER_S)
            self._wake.clear()
            while self._waiting:
                if not self._move_some():
                    if self._closed.is_set():
                        return
                    self._wake.wait(RETRY_S)
                    self._wake.clear()
            if self._closed.is_set():
                return

    def _move_some(self) -> bool:
        batch = [self._waiting[i] for i in range(min(BATCH, len(self._waiting)))]
        try:
            self._keep(batch)
        except Exception as error:
            # The whole text of a database's error holds the rows that it is about.
            why = getattr(error, "orig", None) or type(error).__name__
            self._trouble("store", f"records wait for the store: {why}")
            return False
        self._well("store")
        with self._lock:
            for _ in batch:
                self._waiting.popleft()
            if not self._waiting and self._size > TRUNCATE_AT:
                os.ftruncate(self._file, 0)
                os.lseek(self._file, 0, os.SEEK_SET)
                self._size = 0
        return True

    def _trouble(self, what: str, text: str) -> None:
        if what not in self._troubled:
            self._troubled.add(what)
            self._tell(text)

    def _well(self, what: str) -> None:
        self._troubled.discard(what)


def left_behind(folder: Path, name: str) -> list[Path]:
    """Journals of that gateway whose process is gone."""
    found = []
    for path in sorted(folder.glob(f"{name}.*{SUFFIX}")):
        number = path.name.removeprefix(f"{name}.").removesuffix(SUFFIX)
        if number.isdigit() and not _alive(int(number)):
            found.append(path)
    return found


def lines_of(path: Path) -> list[bytes]:
    """The whole lines of a journal; one that was cut off is left out."""
    *whole, _cut = path.read_bytes().split(b"\n")
    return [line for line in whole if line]


def journal_path(folder: Path, name: str) -> Path:
    """This process's journal."""
    return folder / f"{name}.{os.getpid()}{SUFFIX}"


def _alive(number: int) -> bool:
    if number == os.getpid():
        return False
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
