"""Tasks of Inspect's that the tests run, by name."""

from __future__ import annotations

from typing import Any

from inspect_ai import Task, task
from inspect_ai.agent import react
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageAssistant, ChatMessageSystem, ChatMessageUser, get_model
from inspect_ai.scorer import (
    Score,
    Scorer,
    Target,
    accuracy,
    choice,
    includes,
    match,
    model_graded_qa,
    scorer,
)
from inspect_ai.solver import (
    Generate,
    Solver,
    TaskState,
    chain_of_thought,
    generate,
    multiple_choice,
    prompt_template,
    self_critique,
    solver,
    system_message,
    use_tools,
)
from inspect_ai.tool import Tool, tool
from inspect_ai.util import store


@tool
def note() -> Tool:
    async def execute(text: str) -> str:
        """Write a text down.

        Args:
            text: The text.
        """
        if text == "burn":
            raise ValueError("it burns")
        store().set("notes", [*store().get("notes", []), text])
        return f"written: {text}"

    return execute


@scorer(metrics=[accuracy()])
def noted() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        return Score(value={"notes": len(state.store.get("notes", [])), "right": "P"})

    return score


@scorer(metrics=[accuracy()])
def messages_seen() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        roles = [m.role for m in state.messages]
        return Score(value=1 if roles == target.text.split() else 0, answer=str(roles))

    return score


QUESTIONS = [
    Sample(f"What is {n} + {n}?", target=str(2 * n), id=f"q{n}", metadata={"group": f"g{n % 3}"})
    for n in range(1, 11)
]


@task
def plain(count: int = 10) -> Task:
    return Task(dataset=QUESTIONS[:count], solver=[chain_of_thought(), generate()], scorer=match())


@task
def templated() -> Task:
    return Task(
        dataset=QUESTIONS,
        setup=system_message("You are brief."),
        solver=[prompt_template("Q: {prompt}"), generate()],
        scorer=[includes(), match()],
    )


@task
def choices() -> Task:
    samples = [
        Sample(f"Which is {n}?", choices=["none", str(n), "all"], target="B", id=n)
        for n in range(6)
    ]
    return Task(dataset=samples, solver=multiple_choice(), scorer=choice())


@task
def noting() -> Task:
    samples = [Sample(f"Write {n} down.", target=str(n), id=n) for n in range(6)]
    return Task(dataset=samples, solver=[use_tools(note()), generate()], scorer=noted())


@task
def watched() -> Task:
    roles = "user assistant tool assistant"
    samples = [Sample(f"Write {n} down.", target=roles, id=n) for n in range(6)]
    return Task(dataset=samples, solver=[use_tools(note()), generate()], scorer=messages_seen())


@task
def agentic() -> Task:
    return Task(dataset=QUESTIONS, solver=react(tools=[note()]), scorer=match())


@solver
def twice() -> Solver:
    async def solve(state: TaskState, generate: Generate) -> TaskState:
        state = await generate(state)
        state.messages.append(ChatMessageUser(content="Are you sure?"))
        return await generate(state)

    return solve


@task
def asked_again() -> Task:
    return Task(dataset=QUESTIONS, solver=twice(), scorer=match())


@task
def talked() -> Task:
    said: list[Any] = [
        ChatMessageSystem(content="Be exact."),
        ChatMessageUser(content="1 + 1?"),
        ChatMessageAssistant(content="2"),
    ]
    samples = [
        Sample([*said, ChatMessageUser(content=f"{n} + 1?")], target=str(n + 1), id=n)
        for n in range(6)
    ]
    return Task(dataset=samples, solver=generate(), scorer=match())


@task
def graded() -> Task:
    return Task(dataset=QUESTIONS, solver=generate(), scorer=model_graded_qa())


@scorer(metrics=[accuracy()])
def secretly_graded() -> Scorer:
    async def score(state: TaskState, target: Target) -> Score:
        said = await get_model().generate("Is it right?")
        return Score(value=said.completion)

    return score


@task
def graded_by_surprise() -> Task:
    return Task(dataset=QUESTIONS, solver=generate(), scorer=secretly_graded())


@task
def critical() -> Task:
    return Task(dataset=QUESTIONS, solver=[generate(), self_critique()], scorer=match())


@task
def boxed() -> Task:
    return Task(dataset=QUESTIONS, solver=generate(), scorer=match(), sandbox="docker")


@task
def with_files() -> Task:
    return Task(dataset=[Sample("x", files={"a.txt": "b"}, id=1)], scorer=match())


@task
def unscored() -> Task:
    return Task(dataset=QUESTIONS, solver=generate())


@task
def silent() -> Task:
    @solver
    def nothing() -> Solver:
        async def solve(state: TaskState, generate: Generate) -> TaskState:
            return state

        return solve

    return Task(dataset=QUESTIONS, solver=nothing(), scorer=match())


@task
def broken() -> Task:
    raise RuntimeError("no data")


def not_a_task() -> int:
    return 3
