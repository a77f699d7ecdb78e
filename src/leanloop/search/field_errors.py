"""Errors in a field of a study, said with the name of the study's file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from leanloop.core.errors import BadInputError
from leanloop.search.spec import StudySpec

FIELD = re.compile(rf"suite \w+|({'|'.join(StudySpec.__struct_fields__)})([.\[].*)?")
"""How an error names a field of a study; a suite may say its own name."""


@contextmanager
def naming_file(file: str) -> Iterator[None]:
    """Put the study's file before the field that an error names.

    Args:
        file: As the user named it; empty for a study that is from no file.

    Raises:
        BadInputError: What was raised inside; unchanged where no field is at fault.
    """
    try:
        yield
    except BadInputError as error:
        if not file or FIELD.fullmatch(error.where) is None:
            raise
        raise BadInputError(f"{file}: {error.where}", error.problem) from error
