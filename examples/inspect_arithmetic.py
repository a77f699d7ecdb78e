"""A task of Inspect's: sums that a calculator does, and questions with choices.

``inspect eval examples/inspect_arithmetic.py`` runs it there; examples/inspect.toml runs it here.
"""

from __future__ import annotations

from inspect_ai import Task, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.scorer import match
from inspect_ai.solver import generate, system_message, use_tools
from inspect_ai.tool import Tool, tool


@tool
def multiply() -> Tool:
    """A calculator that multiplies."""

    async def execute(first: int, second: int) -> int:
        """Multiply two whole numbers.

        Args:
            first: One number.
            second: The other.
        """
        return first * second

    return execute


@task
def products(count: int = 30) -> Task:
    """What two numbers give."""
    pairs = [(13 + 7 * n, 29 + 3 * n) for n in range(count)]
    samples = [
        Sample(f"How much is {a} times {b}?", target=str(a * b), id=f"product-{a}-{b}")
        for a, b in pairs
    ]
    return Task(
        dataset=MemoryDataset(samples, name="products"),
        solver=[
            system_message("Use the calculator. End with the number alone."),
            use_tools(multiply()),
            generate(),
        ],
        scorer=match(numeric=True),
    )
