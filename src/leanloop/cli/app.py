"""The command ``leanloop``: what its commands share, and how they end."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from leanloop import __version__
from leanloop.core.errors import BadInputError

COMMANDS = (
    "demo",
    "optimize",
    "run",
    "report",
    "dashboard",
    "frontier",
    "compare",
    "gate",
    "explain",
    "profile",
    "whatif",
    "gateway",
    "memory",
    "levers",
    "models",
    "suites",
    "prices",
    "doctor",
)

app = typer.Typer(
    name="leanloop",
    help="Find the cheapest configuration of an LLM agent that still does its job.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _tell_version(asked: bool) -> None:
    if asked:
        sys.stdout.write(f"leanloop {__version__}\n")
        raise typer.Exit


@app.callback()
def leanloop(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_tell_version, is_eager=True, help="Say which it is."),
    ] = False,
) -> None:
    """Find the cheapest configuration of an LLM agent that still does its job."""


def main() -> None:
    """Load and run a command of the command line."""
    run(load(sys.argv[1:]))


def load(arguments: Sequence[str]) -> str:
    """Load the command that is asked for; all of them where it is none.

    Returns:
        What is asked for; empty for nothing.
    """
    # The commands that were not asked for are not loaded: a start costs what it has to.
    asked = arguments[0] if arguments else ""
    for name in (asked,) if asked in COMMANDS else COMMANDS:
        command = import_module(f"leanloop.cli.{name}")
        app.command(name, help=command.__doc__)(getattr(command, name))
    return asked


def run(asked: str) -> None:
    """Run a command; bad input is one line on standard error and exit code 2.

    Args:
        asked: The command that was loaded.
    """
    try:
        sys.exit(app(sys.argv[1:] or ["--help"], standalone_mode=False))
    except BadInputError as error:
        said = str(error)
    except typer.TyperException as error:
        helped = f"leanloop {asked} --help" if asked in COMMANDS else "leanloop --help"
        words = " ".join(error.format_message().split()).replace("Value error, ", "")
        said = f"{words.rstrip('.')}; see {helped}"
    except typer.Abort:
        sys.exit(1)
    sys.stderr.write(f"leanloop: {said}\n")
    sys.exit(2)
