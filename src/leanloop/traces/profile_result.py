"""What a profile says: where the cost of recorded runs went."""

from __future__ import annotations

import msgspec

from leanloop.core.run import Evidence
from leanloop.core.tokens import Tokens
from leanloop.stats.interval import UNKNOWN, Interval
from leanloop.traces.reading import Skipped


class TokenTotals(msgspec.Struct, frozen=True):
    """Tokens of some calls.

    Attributes:
        input: All input, cached or not; None when nothing is known of it.
        output: All output.
        by_class: By disjoint class; None for a class that some call does not report.
        evidence: ``reported`` where every call reports its input and output, ``estimated``
            where some of it was made of characters.
        reported_calls: Calls that report both.
        calls: All calls.
    """

    input: int | None
    output: int | None
    by_class: Tokens
    evidence: Evidence
    reported_calls: int
    calls: int

    @property
    def total(self) -> int | None:
        """Input and output."""
        return None if self.input is None or self.output is None else self.input + self.output


class Dollars(msgspec.Struct, frozen=True):
    """Dollars of some calls, three ways that are never mixed.

    Attributes:
        recorded: As the trace has it; None when some call has no cost.
        recorded_calls: Calls with a recorded cost.
        list: By list price with what the trace says was cached, and where it says nothing,
            as if nothing was: then an upper bound. None when some call has no known price.
        modelled: By list price with cached input as the provider's rule would have it; None
            when it is not known.
        priced_calls: Calls with a known list price.
        calls: All calls.
        recorded_known: Sum of the costs that are recorded, whatever is missing.
        list_known: The same by list price.
        modelled_calls: Calls whose cached input was modelled; the rest report it, or have no
            known rule.
    """

    recorded: float | None
    recorded_calls: int
    list: float | None
    modelled: float | None
    priced_calls: int
    calls: int
    recorded_known: float = 0.0
    list_known: float = 0.0
    modelled_calls: int = 0

    @property
    def best(self) -> float | None:
        """What comes nearest to the truth: recorded, else modelled, else by list price."""
        for value in (self.recorded, self.modelled, self.list):
            if value is not None:
                return value
        return None


class Seconds(msgspec.Struct, frozen=True):
    """Where the seconds went; each None when some run does not say.

    Attributes:
        wall: From start to end.
        model: In model calls.
        tool: In tool calls.
        idle: Wall without model and tools.
        critical_path: Model calls, and of tool calls made at once the longest.
    """

    wall: float | None
    model: float | None
    tool: float | None
    idle: float | None
    critical_path: float | None


class Repeats(msgspec.Struct, frozen=True):
    """Tool calls that were made before in the same run, with the same name and arguments.

    Attributes:
        calls: All of them, the sum of the next three.
        retries: The call before failed.
        rereads: In between something was written, or the result is another one.
        waste: The same call, the same result, and nothing in between that writes.
        observations: Results that an earlier result of the run equals, of 40 characters or more.
        observation_chars: Their characters.
        runs: Runs with a repeated call.
        half_in_runs: The fewest runs that have half of all repeated calls.
    """

    calls: int
    retries: int
    rereads: int
    waste: int
    observations: int
    observation_chars: int
    runs: int
    half_in_runs: int


class Unused(msgspec.Struct, frozen=True):
    """Tool calls of whose result nothing came back in what the agent said later (a heuristic).

    Attributes:
        calls: Results with words of their own that no later message of the agent has.
        judged: Results that have such words, and that the agent had a turn after.
        tokens_share: Of all that was sent, the share of these results.
    """

    calls: int
    judged: int
    tokens_share: float


class Part(msgspec.Struct, frozen=True):
    """A part of what was sent.

    Attributes:
        kind: ``system``, ``tools`` (their schemas), ``user``, ``assistant`` or ``tool``.
        tool: Whose results; empty for other kinds.
        new: Characters sent for the first time.
        resent: Characters sent again.
        entries: Messages.
    """

    kind: str
    tool: str
    new: int
    resent: int
    entries: int


class Age(msgspec.Struct, frozen=True):
    """Characters that were sent again, by how many calls ago they were new.

    Attributes:
        first: Calls ago, from.
        last: Calls ago, to, inclusive; None without end.
        chars: Characters.
    """

    first: int
    last: int | None
    chars: int


class Growth(msgspec.Struct, frozen=True):
    """How the context grows.

    Attributes:
        exponent: Of what a run has sent in all by its n-th call, as n to that power, fitted in
            each run of five calls or more: 1 is linear, 2 is sending all before it each time.
        by_step: Mean characters of the n-th request, from the first.
        runs_by_step: Runs that have an n-th request.
    """

    exponent: Interval
    by_step: tuple[float, ...]
    runs_by_step: tuple[int, ...]


class Break(msgspec.Struct, frozen=True):
    """Requests that did not go on from what was sent before, so that a cache was of no use.

    Attributes:
        why: What changed: ``history edited``, ``model changed`` or ``tools changed``.
        count: How often.
        tokens: Tokens read anew for it, modelled: what had been sent before behind the change.
        usd: Dollars that this cost more than reading from the cache, modelled: uncached input
            less cached input at the model's price, as if all of it had been cached. None
            where a price, or how prompts are cached, is unknown.
    """

    why: str
    count: int
    tokens: int
    usd: float | None = None


class Cache(msgspec.Struct, frozen=True):
    """The provider's prompt cache.

    Attributes:
        read_share: Of the input of calls that report it, what was read from a cache.
        reporting_calls: Calls that report it.
        calls: All calls.
        breaks: Every break of a prefix, by what broke it.
    """

    read_share: float | None
    reporting_calls: int
    calls: int
    breaks: tuple[Break, ...]


class Ended(msgspec.Struct, frozen=True):
    """Runs that failed beside those that solved their task.

    Attributes:
        solved: How many.
        failed: How many.
        tokens_ratio: Mean tokens of a failed run over those of a solved one.
        usd_ratio: The same in dollars.
        calls_ratio: The same in model calls.
    """

    solved: int
    failed: int
    tokens_ratio: Interval
    usd_ratio: Interval
    calls_ratio: Interval


class Loops(msgspec.Struct, frozen=True):
    """Runs that went in circles.

    Attributes:
        runs: Runs in which the same one to three tool calls came three times in a row or more.
        calls: Calls in these circles.
        stalled_runs: Runs with five results in a row that brought nothing new.
    """

    runs: int
    calls: int
    stalled_runs: int


class Group(msgspec.Struct, frozen=True):
    """Figures of some runs together; also those of one run, and those of all.

    Attributes:
        name: A run, task, session, model or tool; ``all``.
        runs: Runs of their own, without sub-agents.
        sub_runs: Conversations of sub-agents, whose figures are in all others.
        success: Mean with interval, over tasks where runs have one.
        model_calls: The agent's.
        tool_calls: Calls that the agent made.
        tokens: The agent's.
        usd: The agent's.
        seconds: The agent's.
        chars_sent: Characters of all requests.
        chars_resent: Of these, what the same conversation had been sent before or said.
        usd_per_solved: Dollars of all runs over the number solved; None when unknown.
    """

    name: str
    runs: int
    sub_runs: int
    success: Interval
    model_calls: int
    tool_calls: int
    tokens: TokenTotals
    usd: Dollars
    seconds: Seconds
    chars_sent: int
    chars_resent: int
    usd_per_solved: float | None = None


class Frame(msgspec.Struct, frozen=True):
    """A box of the flame graph: characters sent.

    Attributes:
        band: Turns, such as ``turns 5-8``.
        resent: Whether they were sent again.
        kind: As in ``Part``.
        tool: As in ``Part``.
        chars: Characters.
    """

    band: str
    resent: bool
    kind: str
    tool: str
    chars: int


class Profile(msgspec.Struct, frozen=True):
    """Where the cost of recorded runs went.

    Attributes:
        runs: Runs of their own, without sub-agents.
        sub_runs: Conversations of sub-agents.
        formats: Reader to its number of files.
        success: Mean over runs with interval and number of tasks.
        resent_share: Of all characters sent, those that had been sent before: in the same
            conversation, or as the same system text or tools at the start of another.
        resent_share_in_run: The same, of the same conversation only.
        resent_share_tokens: The latter by reported tokens; None where none are.
        model_calls: The agent's calls.
        steps: Of these, those that decide what to do next.
        tool_calls: Calls that the agent made.
        repeated_tool_calls: Of these, made before in the run.
        tokens: The agent's, in all; see ``token_totals`` for what is estimated.
        usd: The agent's dollars; see ``dollars``.
        usd_evidence: What ``usd`` is: ``recorded``, ``modelled`` or ``list price``.
        estimated: Figures that are estimates, each with how.
        token_totals: Tokens by class.
        dollars: Dollars, three ways.
        seconds: Where the time went.
        user: What a modelled user spent, apart from the agent; None when there is none.
        side: What calls beside the agent's own conversation spent, by purpose.
        parts: What was sent, largest first.
        ages: What was sent again, by age.
        growth: How the context grows.
        repeats: Repeated calls.
        unused: Results that were not used; None where contents were not read.
        cache: Prompt caches.
        ended: Failed against solved.
        loops: Runs in circles.
        flame: What was sent by turn, new or again, and kind.
        groups: By what was asked for, largest cost first.
        by_run: Each run of its own, largest cost first, no more than were asked for.
        notes: What else a reader must know.
        skipped: What could not be read.
        unknown_files: Files of folders that no reader knows.
        unpriced: Models whose price nobody knows and whose dollars were not recorded, by
            name; empty text for one that has none.
    """

    runs: int
    sub_runs: int
    formats: dict[str, int]
    success: Interval
    resent_share: float | None
    resent_share_in_run: float | None
    resent_share_tokens: float | None
    model_calls: int
    steps: int
    tool_calls: int
    repeated_tool_calls: int
    tokens: int | None
    usd: float | None
    usd_evidence: str
    estimated: dict[str, str]
    token_totals: TokenTotals
    dollars: Dollars
    seconds: Seconds
    user: Group | None
    side: dict[str, Group]
    parts: tuple[Part, ...]
    ages: tuple[Age, ...]
    growth: Growth
    repeats: Repeats
    unused: Unused | None
    cache: Cache
    ended: Ended
    loops: Loops
    flame: tuple[Frame, ...]
    groups: tuple[Group, ...] = ()
    by_run: tuple[Group, ...] = ()
    notes: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    unknown_files: tuple[str, ...] = ()
    unpriced: tuple[str, ...] = ()


NO_SUCCESS = UNKNOWN
"""The success of runs of which no trace says whether they solved their task."""
