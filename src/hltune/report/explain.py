"""What `hltune explain` shows in a terminal, from its JSON document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Column

from hltune.report.against import caution, differing, headline
from hltune.report.layout import (
    CHANGED,
    Document,
    count,
    number,
    numbers,
    percent,
    plain_table,
    print_lines,
    print_table,
    print_verification,
)
from hltune.values.unit import MILLISECONDS, size

LEAST_SHOWN = 0.01
"""Loops and Funcs that take less of the time are left out of the tables."""
_CLEAR_GAIN = 1.02
"""Where the interval of a tie includes this, more rounds might find that a change helps."""


def print_explained(console: Console, document: Document) -> None:
    """Which of two is faster; one after the other: what it costs, what limits it, where the time goes, its loops."""
    against: Document | None = document["against"]
    if against is not None and (line := headline(against)):
        print_lines(console, line, "")
    for at, each in enumerate(document["schedules"]):
        again = at > 0 and against is not None and against["same_program"]
        if not again:  # of the same program, all that would differ is noise
            print_lines(console, _headline(document, each), *_profiled(each))
        _print_remarks(console, each)
        if each["advice"] is not None:
            _print_advice(console, each)
        elif each["not_looked_for"] is not None:
            print_lines(console, "", each["not_looked_for"])
        if not again:
            _print_funcs(console, each)
            _print_loops(console, each)
    if against is not None and not against["same_program"]:
        if rows := differing(against):
            print_lines(console, *rows, "")
        _print_against(console, against, *document["schedules"])
    print_verification(console, document["verification"])


def _print_remarks(console: Console, each: Document) -> None:
    """What was not as it should have been."""
    print_lines(console, *[f"{each['name']} {CHANGED}"] * each["repaired"])
    print_lines(console, *(f"{found['stage']} failed: {found['message']}" for found in each["failures"]))


def _headline(document: Document, each: Document) -> str:
    measured = "not measured: code for this target does not run here"
    if each["cost"] is not None:
        spread = "" if each["spread"] is None else f" (spread {each['spread']:.0%})"
        measured = f"{count(each['cost'])} {each['unit']}{spread}, output verified"
    predicted = ""
    if each["predicted_ms"] is not None and each["unit"] == MILLISECONDS.name:  # beside packets, it says nothing
        predicted = f"; {count(each['predicted_ms'])} ms by T0"
    also = f" (also {', '.join(document['also'])})" if document["also"] and each is document["schedules"][0] else ""
    return f"{document['pipeline']}, schedule {each['name']}{also}: {measured}{predicted}"


def _profiled(each: Document) -> list[str]:
    profile = each["profile"]
    if profile is None:
        return []
    overhead = "" if (profile["overhead"] or 0.0) < 0.005 else f", which makes it {profile['overhead']:.0%} slower"
    seen = f"sampled {profile['samples']:,} times in {profile['runs']:,} runs"
    if profile["counted"]:
        seen = f"counted Func by Func, {count(profile['cost'])} {each['unit']}"
    return [f"{seen}{overhead}; {profile['threads']:.1f} threads at work; heap {', '.join(_heap(each))}"]


def _heap(each: Document) -> Iterator[str]:
    """The most that is in use at a time, and what a call takes in all, which is what `compare` shows.

    What a call takes is what was measured without the profiler, which does not see all buffers: of none of these it
    knows a peak.
    """
    heap, profile = each.get("heap"), each["profile"]
    allocations, peak = (heap or profile)["allocations"], profile["heap_peak_bytes"]
    buffers = "1 buffer" if round(allocations) == 1 else f"{allocations:,.0f} buffers"
    if peak or not allocations:
        yield f"at most {size(peak)} at a time"
    yield f"{size(heap['bytes'])} in all per call ({buffers})" if heap else f"{buffers} per call"


def _print_advice(console: Console, each: Document) -> None:
    changes, others = by_change(each["advice"])
    print_lines(console, "", "what limits it" if each["advice"] else "nothing known limits it")
    for at, (first, *more) in enumerate(changes, start=1):
        print_lines(console, f"{at:3}. {_sentence(first)}", *(f"     {_sentence(advice)}" for advice in more))
        print_lines(console, f"     {outcome([first, *more])}")
        print_lines(console, *(f"       - {text}" for text in first["dropped"]))
        print_lines(console, *(f"       + {text}" for text in first["directives"]))
    if others:
        print_lines(console, "  no change was found that is predicted to help with these:")
        print_lines(console, *(f"     {_sentence(advice)}{untried([advice])}" for advice in others))


def by_change(advice: Sequence[Document]) -> tuple[list[list[Document]], list[Document]]:
    """Faults that have the same remedy together, in the order of the first of each; then those without a remedy."""
    changes: list[list[Document]] = []
    others: list[Document] = []
    for each in advice:
        same = next((some for some in changes if some[0]["schedule"] == each["schedule"]), None)
        if not each["directives"] and not each["dropped"]:
            others.append(each)
        elif same is None:
            changes.append([each])
        else:
            same.append(each)
    return changes, others


def _sentence(advice: Document) -> str:
    shares = [f"{advice['share']:.0%} of the predicted time"] if advice["share"] is not None else []
    if advice["measured_share"] is not None:
        shares.append(f"{advice['stage'].partition('.')[0]} takes {advice['measured_share']:.0%} of the measured one")
    others = advice["others"]
    too = "" if not others else f"; {others} other stage{'s have' if others > 1 else ' has'} such a fault, too"
    return f"{advice['stage']} {advice['text']}{too} ({'; '.join(shares)})"


def outcome(advice: Sequence[Document]) -> str:
    """What a change is predicted to bring, and what it brought, whichever faults it is for."""
    return f"predicted {advice[0]['predicted_speedup']:.2f} times as fast{_brought(advice[0])}{untried(advice)}"


def _brought(advice: Document) -> str:
    if advice["failure"] is not None:
        return f"; tried, and it fails: {advice['failure']['message']}"
    if advice["measured_speedup"] is None:
        return "; not measured, for others are predicted to help more" if advice["left_out"] else ""
    changed = f"; with it, the schedule {CHANGED}" if advice["repaired"] else ""
    return f"; measured {advice['measured_text']}{_verdict(advice)}{changed}"


def _verdict(advice: Document) -> str:
    if advice["helps"] is None:  # which the text says
        return ""
    _, high = advice["measured_interval"] or (1.0, 1.0)
    if advice["tie"] and high >= _CLEAR_GAIN:
        return ", not sure that it helps"
    return "" if advice["helps"] else ", it does not help"


def untried(advice: Sequence[Document]) -> str:
    """How many changes there was no time for."""
    number = sum(each["untried"] for each in advice)
    return f"; not tried: {number} change{'s' if number > 1 else ''}" if number else ""


def _print_funcs(console: Console, each: Document) -> None:
    headings = ("share", each["unit"], "T0", "com-\nputed", "lanes", "by\nlane", "tasks")
    table = plain_table(Column("Func", overflow="fold"), *numbers(*headings), Column("works on", no_wrap=True))
    for row in shown_funcs(each["funcs"]):
        measured: Document = row["measured"] or {}
        predicted: Document = row["predicted"] or {}
        table.add_row(
            row["name"],
            percent(measured.get("share")),
            count(measured.get("cost")),
            ("! " if row["disagree"] else "") + percent(predicted.get("share")),
            number(row.get("recompute"), ".2f"),
            number(row.get("lanes"), ".0f"),
            percent(row.get("scattered_share")),
            number(row.get("tasks"), ",.0f"),
            _works_on(row),
        )
    print_lines(console, "", "where the time goes")
    print_table(console, table)
    if any(row["disagree"] for row in each["funcs"]):
        print_lines(
            console,
            "! differs more than twofold from the measured one, both as shares of what Funcs take in all",
            *together(each),
        )


def shown_funcs(rows: Sequence[Document]) -> list[Document]:
    """Those of which there is something to see, and a row for what all others take together."""
    shown = [row for row in rows if max(_share(row, "measured"), _share(row, "predicted")) >= LEAST_SHOWN]
    others = [row for row in rows if row not in shown]
    if not others:
        return shown
    sums = {what: [row[what] for row in others if row[what] is not None] for what in ("measured", "predicted")}
    measured, predicted = (
        {key: sum(each[key] for each in some) for key in keys} if some else None
        for some, keys in zip(sums.values(), (("share", "cost"), ("share",)), strict=True)
    )
    name = f"{len(others)} other{'s' if len(others) > 1 else ''}"
    return [*shown, {"name": name, "measured": measured, "predicted": predicted, "disagree": False}]


def _share(row: Document, what: str) -> float:
    return 0.0 if row[what] is None else row[what]["share"]


def together(each: Document) -> list[str]:
    """Whose measured times are one: Halide's profiler asks which Func runs, and loops in common are of one."""
    return [
        f"{', '.join(funcs)} have loops in common (compute_with): the profiler gives most of their time to one of them"
        for funcs in each["together"]
    ]


def _works_on(row: Document) -> str:
    if "working_set_bytes" not in row:
        return "-"
    return ", ".join(filter(None, (size(row["working_set_bytes"]), row["fits"])))


def _print_loops(console: Console, each: Document) -> None:
    table = plain_table(Column("loops", overflow="fold"), *numbers("iterations", "touches\neach time", "T0"))
    for row in each["loops"]:
        if row["share"] >= LEAST_SHOWN:
            mark = "* " if row.get("differs") else "  " if "differs" in row else ""
            figures = count(row.get("iterations")), size(row["touched_bytes"]), percent(row["share"])
            table.add_row(mark + _loop(row), *figures)
    print_lines(console, "", "the lowered program")
    print_table(console, table)
    if any(row.get("differs") for row in each["loops"]):
        print_lines(console, "* not in this place in the other program")
    print_lines(console, "")


def _loop(row: Document) -> str:
    text = f"{row['kind']} {row.get('loop')} of {row['func']}"
    if row["kind"] == "store":
        text = f"{row['func']}(...) = ..." + (f" in {row['lanes']:.0f} lanes" if row["lanes"] > 1 else "")
    return "  " * row["depth"] + text


def _print_against(console: Console, against: Document, one: Document, other: Document) -> None:
    """Both schedules side by side, Func by Func."""
    table = plain_table(Column("Func", overflow="fold"), *numbers(one["name"], other["name"], "difference"))
    timed = one["profile"] is not None and other["profile"] is not None
    ones, others = (_times(each, measured=timed) for each in (one, other))
    for name in dict.fromkeys((*ones, *others)):
        first, second = ones.get(name), others.get(name)
        table.add_row(name, count(first), count(second), f"{(first or 0.0) - (second or 0.0):+.3g}")
    if timed:
        table.add_row("all", count(one["cost"]), count(other["cost"]), f"{one['cost'] - other['cost']:+.3g}")
    what = f"measured {one['unit']}" if timed else "predicted ms"
    print_lines(console, f"{one['name']} against {other['name']}, {what}")
    print_table(console, table)
    counted = [each["profile"] is not None and each["profile"]["counted"] for each in (one, other)]
    if timed and not any(counted):
        print_lines(console, *caution(against))


def _times(each: Document, *, measured: bool) -> dict[str, float]:
    """What each Func costs: measured, or else predicted in milliseconds."""
    if measured:
        return {row["name"]: row["measured"]["cost"] for row in each["funcs"] if row["measured"]}
    return {row["name"]: row["predicted"]["ms"] for row in each["funcs"] if row["predicted"]}
