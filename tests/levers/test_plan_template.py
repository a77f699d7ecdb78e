"""Plans with holes: what is kept of a run, and for which other tasks it is filled in."""

from __future__ import annotations

import time
from collections.abc import Mapping

import pytest

from leanloop.core.message import Json, ToolSpec
from leanloop.levers.plan_taking import take_template
from leanloop.levers.plan_template import (
    Template,
    TemplateStep,
    asks_for_another,
    check_filling,
    fill_by_look,
    filled_answer,
    filled_arguments,
    match_template,
    read_template,
)
from leanloop.levers.trail import Made


def tool(called: str, /, *fields: str, read_only: bool | None = True, **types: Json) -> ToolSpec:
    properties = {n: {"type": t} if isinstance(t, str) else t for n, t in types.items()}
    parameters = {"type": "object", "properties": properties}
    return ToolSpec(called, called, parameters, read_only=read_only, result_fields=fields)


TOOLS: Mapping[str, ToolSpec] = {
    t.name: t
    for t in (
        tool("get_person", "name", "phone", "email", name="string"),
        tool("list_reports", name="string"),
        tool("convert", "miles", km="number"),
        tool("grant", read_only=False, name="string", days="integer"),
        tool("page", number={"anyOf": [{"type": "integer"}, {"type": "null"}]}),
        tool("untyped", number={}),
        tool("set_phone", read_only=False, name="string", number="string"),
        tool("reopen_ticket", read_only=False, ticket="string"),
        tool("close_ticket", read_only=False, ticket="string"),
        tool("plain_look", read_only=None, name="string"),
        tool("plain_change", read_only=None, name="string"),
    )
}
ANA = {"name": "Ana", "phone": "4711", "email": "ana@x.org", "floor": 3}


def made(called: str, value: Json = "ok", /, **arguments: Json) -> Made:
    return Made(called, arguments, value, is_error=False)


def taken(prompt: str, answer: str, *calls: Made) -> Template:
    found = take_template(prompt, calls, answer, TOOLS)
    assert found is not None
    return found


def replayed(template: Template, prompt: str) -> list[dict[str, Json]]:
    """The arguments of its calls for another task in the same words."""
    values = match_template(template, prompt)
    assert values is not None
    return [filled_arguments(s, values, {}, TOOLS[s.tool]) for s in template.steps]


def test_a_number_of_the_task_is_not_the_number_of_a_hole() -> None:
    call = made("grant", name="Ana Ruiz", days=1)
    template = taken("Give Ana Ruiz 1 day off.", "done", call)
    assert template.text == "Give {1} {2} day off."
    assert replayed(template, "Give Bo Li 2 day off.") == [{"name": "Bo Li", "days": 2}]


@pytest.mark.parametrize(
    ("prompt", "call"),
    [
        ("Give Ana {1} 3 days.", made("grant", name="Ana", days=3)),
        ("Set Ana Ruiz up.", made("set_phone", name="Ana Ruiz", number="Ruiz")),
        ("Give Ana 2,5 days and 1,000 more.", made("grant", name="Ana", days=1)),
        ("Show page 07.5.", made("page", number=7)),
        ("Number 7, please.", made("untyped", number=7)),
    ],
    ids=["marks of its own", "one value in another", "a thousand", "a decimal", "type unknown"],
)
def test_what_could_not_be_read_back_is_not_kept(prompt: str, call: Made) -> None:
    assert take_template(prompt, [call], "done", TOOLS) is None


def test_numbers_come_back_as_numbers_and_what_is_none_goes_to_the_model() -> None:
    template = taken("Convert 2.5 km.", "1.55", made("convert", {"miles": 1.55}, km=2.5))
    assert replayed(template, "Convert 3.25 km.") == [{"km": 3.25}]
    assert replayed(template, "Convert 3 km.") == [{"km": 3}]
    with pytest.raises(LookupError, match="no number"):
        replayed(template, "Convert 2,500 km.")
    page = taken("Show page 7.", "done", made("page", number=7))
    assert replayed(page, "Show page 12.") == [{"number": 12}]


@pytest.mark.parametrize(
    "name", ["Łukasz Żak", "Sean O'Brien", "Max (jr.) Berg", "Eva+Uma [x] $1", "李 雷", "A\\d+"]
)
def test_names_of_any_kind_are_filled_in_as_they_are(name: str) -> None:
    template = taken("Phone of Ana Ruiz, please?", "4711", made("get_person", ANA, name="Ana Ruiz"))
    if match_template(template, f"Phone of {name}, please?") is not None:
        assert replayed(template, f"Phone of {name}, please?") == [{"name": name}]
    own = taken(f"Phone of {name}, please?", "4711", made("get_person", ANA, name=name))
    assert replayed(own, f"Phone of {name}, please?") == [{"name": name}]


def test_a_script_without_spaces_has_values_too() -> None:
    template = taken("李雷的电话?", "4711", made("get_person", ANA, name="李雷"))
    assert template.text == "{1}的电话?"
    assert replayed(template, "韩梅梅的电话?") == [{"name": "韩梅梅"}]


def test_a_task_that_reads_in_two_ways_is_the_models() -> None:
    template = Template(
        "Book {1} {2} soon.", (TemplateStep("x", {"a": "{1}", "b": "{2}"}),), ("Ana Ruiz", "Rome")
    )
    assert match_template(template, "Book Bo Oslo soon.") == ("Bo", "Oslo")
    assert match_template(template, "Book Bo Li Oslo soon.") is None


def test_a_value_may_hold_what_stands_between_holes_where_only_one_reading_fits() -> None:
    template = Template("Pay {1} {2} now", (), ("Ana Ruiz", "300"))
    assert match_template(template, "Pay Bo Li 25 now") == ("Bo Li", "25")


def test_what_reads_like_a_reference_is_a_value_where_the_task_says_it() -> None:
    step = TemplateStep("get_person", {"name": "{1}"})
    results = {"E1": {"name": "somebody else"}}
    assert filled_arguments(step, ["#E1.name"], results, TOOLS["get_person"]) == {
        "name": "#E1.name"
    }


def test_many_holes_in_a_long_task_are_given_up_soon() -> None:
    holes = " ".join(f"{{{i}}}" for i in range(1, 13))
    template = Template(f"Sum {holes} exactly!", (), ("1 2 3 4 5 6 7 8 9",) * 12)
    start = time.perf_counter()
    assert match_template(template, "Sum " + "1 " * 3000) is None
    assert match_template(template, "Sum " + "1 " * 3000 + "exactly!") is None
    assert time.perf_counter() - start < 20, "without a bound this takes years"


@pytest.mark.parametrize(
    ("prompt", "answer", "calls"),
    [
        (
            "How many people report to Ana?",
            "3",
            [made("get_person", ANA, name="Ana"), made("list_reports", [{}, {}, {}], name="Ana")],
        ),
        (
            "How many people report to Ana?",
            "3",
            [made("list_reports", {"people": [1, 2, 3], "floor": 3}, name="Ana")],
        ),
        (
            "How do I reach Ana?",
            "4711",
            [made("get_person", {"phone": "4711", "badge": "4711"}, name="Ana")],
        ),
    ],
    ids=["counted in a later call", "counted in a record", "in two fields"],
)
def test_an_answer_that_stands_in_a_field_by_chance_is_left_to_the_model(
    prompt: str, answer: str, calls: list[Made]
) -> None:
    template = taken(prompt, answer, *calls)
    assert template.answer is None
    assert len(template.steps) == len(calls), "and it gets all that the calls returned"


def test_a_change_that_may_have_hung_on_what_was_seen_is_left_to_the_model() -> None:
    look, change = made("get_person", ANA, name="Ana"), made("grant", name="Ana", days=3)
    prompt = "If Ana sits on floor 3, grant Ana 3 days."
    assert take_template(prompt, [look, change], "done", TOOLS) is None
    after = taken("Grant Ana 3 days.", "done", change, look)
    assert [s.tool for s in after.steps] == ["grant"], "a look behind it decided nothing"
    used = taken(
        "Set the phone of Bo to that of Ana.",
        "done",
        look,
        made("set_phone", name="Bo", number="4711"),
    )
    assert [s.tool for s in used.steps] == ["get_person", "set_phone"]


def test_tools_that_do_not_say_what_they_do_may_look_and_may_change() -> None:
    look, change = made("plain_look", ANA, name="Ana"), made("plain_change", name="Ana")
    assert take_template("If Ana sits on floor 3, move Ana.", [look, change], "ok", TOOLS) is None
    one = taken("Does Ana sit on floor 3?", "yes", look)
    assert one.answer is None, "the next one may sit on floor 4"
    chain = made("plain_change", name="4711")
    assert [s.tool for s in taken("Call Ana.", "done", look, chain).steps] == [
        "plain_look",
        "plain_change",
    ]


def test_a_word_of_its_own_is_an_answer_only_behind_a_change() -> None:
    look, change = made("get_person", ANA, name="Ana"), made("close_ticket", ticket="T-1")
    prompt = "Close ticket T-1. Does Ana sit on floor 3?"
    assert taken(prompt, "yes", change, look).answer is None
    assert taken("Close ticket T-1.", "done", change).answer == "done"


@pytest.mark.parametrize(
    ("first", "answer", "other"),
    [
        ("What is the email of customer C1?", "ana@x.org", "What is the phone of customer C2?"),
        ("What is the email of customer C1?", "ana@x.org", "What is the floor of customer C2?"),
        ("Email of customer C1?", "ana@x.org", "Post box of customer C2?"),
    ],
)
def test_a_field_of_a_tool_that_lists_none_is_known_by_what_it_returned(
    first: str, answer: str, other: str
) -> None:
    template = taken(first, answer, made("plain_look", ANA, name="C1"))
    assert template.answer == "#E1.email"
    assert asks_for_another(template, other, ["C2"], TOOLS)
    assert not asks_for_another(template, "Customer C2: which email?", ["C2"], TOOLS)


def test_of_two_fields_the_one_that_the_task_names_is_meant() -> None:
    record = {"phone": "4711", "badge": "4711"}
    template = taken("What is the badge of Ana?", "4711", made("get_person", record, name="Ana"))
    assert template.answer == "#E1.badge"
    assert filled_answer(template, ["Bo"], {"E1": {"phone": "1", "badge": "2"}}) == "2"


def test_a_name_that_is_a_part_of_another_is_left_over() -> None:
    template = Template("Free {1} soon", (), ("17",))
    assert check_filling(template, "Soon free 17", ["17"])
    assert not check_filling(template, "Soon free 17, of which 1 first", ["17"])
    assert not check_filling(template, "Soon free 170", ["17"])


@pytest.mark.parametrize(
    ("first", "call", "other"),
    [
        (
            "Please look up the phone of Ana Ruiz for me",
            made("get_person", ANA, name="Ana Ruiz"),
            "Please look up for me the email of Bo Li",
        ),
        (
            "Please close ticket T-1 for me now",
            made("close_ticket", ticket="T-1"),
            "Please reopen ticket T-2 for me now",
        ),
    ],
    ids=["another field", "another tool"],
)
def test_other_words_that_name_something_else_are_no_other_wording(
    first: str, call: Made, other: str
) -> None:
    template = taken(first, "4711", call)
    values = fill_by_look(template, other)
    assert values is not None
    assert asks_for_another(template, other, values, TOOLS)
    same = f"{first.partition(' for ')[0]} kindly".replace("Ana Ruiz", "Bo Li")
    same_values = fill_by_look(template, same)
    assert same_values is not None
    assert not asks_for_another(template, same, same_values, TOOLS)


GOOD = {
    "text": "Phone of {1}?",
    "steps": [{"tool": "get_person", "arguments": {"name": "{1}"}}],
    "filled": ["Ana"],
}


@pytest.mark.parametrize(
    "body",
    [
        None,
        "x",
        {},
        {**GOOD, "text": "The {5} of {1}?"},
        {**GOOD, "text": "Phone of {0}?"},
        {**GOOD, "filled": []},
        {**GOOD, "text": "Phone of {1}{" + "9" * 5000 + "}?", "filled": ["Ana", "Bo"]},
        {**GOOD, "filled": ["Ana", "Bo"]},
        {**GOOD, "steps": []},
        {**GOOD, "steps": [{"tool": "get_person", "arguments": {"name": "{7}"}}]},
    ],
)
def test_a_body_that_holds_no_plan_is_none(body: Json) -> None:
    assert read_template(body) is None
    assert read_template(GOOD) is not None
