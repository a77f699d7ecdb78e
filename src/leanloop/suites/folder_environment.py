"""An environment that is a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from leanloop.suites.folder import Folder
from leanloop.suites.function_tools import FunctionTools


class FolderEnvironment(FunctionTools):
    """Tools on a folder, which is removed with it.

    Args:
        folder: The folder.
        functions: The tools.
        verify: The agent's answer to a score.
        read_only: Whether calls change nothing, for functions that do not say.
    """

    def __init__(
        self,
        folder: Folder,
        functions: Iterable[Callable[..., Any]],
        verify: Callable[[str | None], float | bool],
        *,
        read_only: bool | None = None,
    ) -> None:
        super().__init__(functions, verify, folder.remove, read_only=read_only)
        self._folder = folder

    @property
    def folder(self) -> Path:
        """Where it is; an outside agent works there."""
        return self._folder.path
