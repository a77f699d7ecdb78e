"""What a test does around a run: sets its world up, lets its user speak, verifies its answer."""

from __future__ import annotations

from leanloop.suites.protocol import Ask, Conversing, Environment, Judged, Prepared


async def prepared(environment: Environment) -> None:
    """Set an environment up, where that takes time.

    Raises:
        BadInputError: It cannot be set up.
    """
    if isinstance(environment, Prepared):
        await environment.prepare()


async def replied(environment: Environment, answer: str, ask: Ask) -> str | None:
    """What the task's user says to an answer; None when nothing, or when there is no user.

    Args:
        environment: The run's.
        answer: What the agent said.
        ask: Queries a model, for a user who is one.
    """
    if not isinstance(environment, Conversing):
        return None
    return await environment.reply(answer, ask)


async def verified(environment: Environment, answer: str | None, ask: Ask) -> float:
    """The score of an answer and the end state, 0 to 1.

    Args:
        environment: The run's.
        answer: The agent's last; None when it gave none.
        ask: Queries a model, for a verifier that is one.
    """
    if isinstance(environment, Judged):
        return await environment.judge(answer, ask)
    return environment.verify(answer)
