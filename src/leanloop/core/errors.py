"""Errors that a user can mend."""


class LeanloopError(Exception):
    """Base of every error that leanloop raises on purpose."""


class BadInputError(LeanloopError):
    """Something the user gave cannot be used; the command line exits with 2.

    Args:
        where: The file, field, or option at fault, as the user would name it.
        problem: What is wrong with it and how to mend it, in one line.
    """

    def __init__(self, where: str, problem: str) -> None:
        self.where = where
        self.problem = problem
        super().__init__(f"{where}: {problem}")


class ModelError(LeanloopError):
    """A model call failed in a way that belongs to the configuration.

    Examples are a context that is too long or a request that the provider
    refuses. The run counts as failed and keeps its cost.
    """


class OutageError(LeanloopError):
    """A provider could not be reached after every retry.

    The run is missing data: recorded, never counted as a failure of the
    configuration, and tried again when the study is resumed.
    """


class SpentError(LeanloopError):
    """A cap of the study is reached; the run under way is given up and not recorded."""


class StoppedError(LeanloopError):
    """Somebody asked from elsewhere that the study ends; what had finished is kept."""
