"""A profile in words and rows, for the terminal and the page alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from leanloop.core.run import Evidence
from leanloop.stats.interval import Interval
from leanloop.traces.profile_result import Break, Dollars, Group, Part, Profile, TokenTotals

KINDS = {
    "system": "system text",
    "tools": "tool schemas",
    "user": "user text",
    "assistant": "what the agent said",
    "tool": "results",
}
MOST_PARTS = 12


def headline(p: Profile) -> Iterator[str]:
    """What a reader should see first."""
    subs = f" and {p.sub_runs:,} of sub-agents" if p.sub_runs else ""
    tokens = "an unknown number of tokens" if p.tokens is None else said_tokens(p.token_totals)
    yield (
        f"{p.runs:,} runs{subs}: {p.model_calls:,} model calls, {p.tool_calls:,} tool calls, "
        f"{tokens}, {said_usd(p)}."
    )
    if p.success.mean is not None:
        yield f"Success {ranged(p.success)} over {p.success.n} tasks."
    if p.resent_share is not None:
        yield said_resent(p)
    if p.repeats.calls:
        r = p.repeats
        yield (
            f"Tool calls that repeat an earlier one of their run: {r.calls:,} "
            f"({share(r.calls, p.tool_calls)} of all). Retries after an error: {r.retries:,}; "
            f"reads of what may have changed: {r.rereads:,}; waste: {r.waste:,}. Half are in "
            f"{r.half_in_runs:,} of {p.runs + p.sub_runs:,} runs."
        )
    yield from _ended(p)


def said_resent(p: Profile) -> str:
    """How much was sent again."""
    known = [f"{100 * (p.resent_share or 0):.1f}% of all characters sent had been sent before"]
    if p.resent_share_in_run is not None:
        known.append(f"{100 * p.resent_share_in_run:.1f}% in the same run")
    if p.resent_share_tokens is not None:
        known.append(f"{100 * p.resent_share_tokens:.1f}% by reported tokens")
    growth = p.growth.exponent
    if growth.mean is not None:
        known.append(
            f"what a run has sent grows with the number of its calls to the power of "
            f"{ranged(growth)} (n={growth.n})"
        )
    return "; ".join(known) + "."


def _ended(p: Profile) -> Iterator[str]:
    e = p.ended
    if not (e.solved and e.failed):
        return
    parts = [f"{ranged(e.calls_ratio)} times the model calls"]
    if e.tokens_ratio.mean is not None:
        parts.append(f"{ranged(e.tokens_ratio)} times the tokens")
    if e.usd_ratio.mean is not None:
        parts.append(f"{ranged(e.usd_ratio)} times the dollars")
    yield (
        f"A failed run takes {', '.join(parts)} of a solved one "
        f"({e.failed} failed, {e.solved} solved)."
    )


def said_tokens(t: TokenTotals) -> str:
    """Tokens, and whether they are an estimate."""
    mark = "" if t.evidence == Evidence.REPORTED else ", estimated"
    total = (t.input or 0) + (t.output or 0)
    return f"{total:,} tokens ({t.input or 0:,} in, {t.output or 0:,} out{mark})"


def said_usd(p: Profile) -> str:
    """Dollars, and where they come from."""
    d = p.dollars
    if p.usd is None:
        known = d.recorded_calls or d.priced_calls
        if not known:
            return f"dollars unknown: {said_unpriced(p.unpriced)}"
        sure = dollars(d.recorded_known if d.recorded_calls else d.list_known)
        why = f" ({said_unpriced(p.unpriced)})" if p.unpriced else ""
        some = f"{sure} for the {known:,} of {d.calls:,} calls with a price"
        return f"dollars unknown in all; {some}{why}"
    estimated = ", of estimated tokens" if "tokens" in p.estimated else ""
    return f"{dollars(p.usd)} ({p.usd_evidence}{estimated})"


def said_unpriced(models: Sequence[str]) -> str:
    """Which models have no price, and how to state one."""
    named = [m for m in models if m]
    if not named:
        who = "the runs do not say who answered; name a model with --model"
        return who if models else "the calls do not say enough of their tokens"
    more = f" and {len(named) - 3} more" if len(named) > 3 else ""
    return (
        f"nobody knows a price of {', '.join(named[:3])}{more}; --prices FILE.toml states it in "
        f'dollars a million tokens: [models."{named[0]}"] with input = 0.5 and output = 2, or it '
        "is a study's file, whose models have prices"
    )


def dollar_rows(d: Dollars) -> Iterator[tuple[str, str, str]]:
    """Each way of counting dollars, the sum, and what it is."""
    yield (
        "recorded",
        _sum(d.recorded, d.recorded_known, d.recorded_calls, d.calls),
        "as traced; of a store's runs, as their study prices them",
    )
    listed = _sum(d.list, d.list_known, d.priced_calls, d.calls)
    yield "list price", listed, "cached input only where reported: else an upper bound"
    modelled = "unknown" if d.modelled is None else dollars(d.modelled)
    yield "modelled", modelled, "list price, prompts cached as the provider's rule has it"


def _sum(whole: float | None, known: float, calls: int, of: int) -> str:
    if whole is not None:
        return dollars(whole)
    return "unknown" if not calls else f"{dollars(known)} for {calls:,} of {of:,} calls"


def part_rows(p: Profile) -> Iterator[Sequence[str]]:
    """What was sent, largest first: name, share of all, share that was sent again, messages."""
    total = sum(x.new + x.resent for x in p.parts) or 1
    for part in p.parts[:MOST_PARTS]:
        size = part.new + part.resent
        yield (
            part_name(part),
            f"{100 * size / total:.1f}%",
            f"{100 * part.resent / size:.1f}%" if size else "",
            f"{part.entries:,}",
        )
    rest = p.parts[MOST_PARTS:]
    if rest:
        size, again = sum(x.new + x.resent for x in rest), sum(x.resent for x in rest)
        entries = sum(x.entries for x in rest)
        name = f"{len(rest)} more"
        yield name, f"{100 * size / total:.1f}%", share(again, size), f"{entries:,}"


def part_name(part: Part) -> str:
    """A part in words."""
    if part.kind == "tool":
        return f"results of {part.tool or 'unknown tools'}"
    return KINDS.get(part.kind, part.kind)


def group_row(g: Group) -> Sequence[str]:
    """A group's figures."""
    resent = share(g.chars_resent, g.chars_sent) if g.chars_sent else "unknown"
    tokens = "unknown" if g.tokens.total is None else f"{g.tokens.total:,}"
    usd, seconds = g.usd.best, g.seconds.wall
    return (
        g.name,
        f"{g.runs:,}",
        "unknown" if g.success.mean is None else f"{g.success.mean:.2f}",
        f"{g.model_calls:,}",
        f"{g.tool_calls:,}",
        tokens,
        resent,
        "unknown" if usd is None else dollars(usd),
        "unknown" if g.usd_per_solved is None else dollars(g.usd_per_solved),
        "unknown" if seconds is None else f"{seconds:,.0f}",
    )


GROUP_HEAD = (
    "",
    "runs",
    "success",
    "model",
    "tool",
    "tokens",
    "re-sent",
    "dollars",
    "a solved run",
    "seconds",
)
"""Model and tool calls; dollars of all runs over the number solved."""


def seconds_words(p: Profile) -> str:
    """Where the seconds went; empty where nothing is known."""
    s = p.seconds
    named = (("in model calls", s.model), ("in tools", s.tool), ("idle", s.idle))
    known = [f"{v:,.0f} s {name}" for name, v in named if v is not None]
    if s.wall is not None:
        known.insert(0, f"{s.wall:,.0f} s in all")
    return ", ".join(known) + "." if known else ""


def break_text(found: Break) -> str:
    """What a kind of break cost."""
    anew = f"{found.tokens:,} tokens read anew"
    more = "" if found.usd is None else f", {dollars(found.usd)} more than from the cache"
    return f"{anew}{more} (modelled)"


def dollars(value: float) -> str:
    """Dollars with three figures that count."""
    return f"${value:,.2f}" if value >= 1 else f"${value:.3g}"


def ranged(i: Interval) -> str:
    """A figure with its interval."""
    if i.mean is None:
        return "unknown"
    if i.low is None or i.high is None:
        return f"{i.mean:.2f}"
    return f"{i.mean:.2f} ({i.low:.2f} to {i.high:.2f})"


def share(part: int, whole: int) -> str:
    """A share in per cent."""
    return f"{100 * part / whole:.1f}%" if whole else "unknown"
