"""What every suite must do."""

from __future__ import annotations

import json

from leanloop.core.message import ToolCall
from leanloop.core.task import Split, Task
from leanloop.suites.protocol import Suite


class SuiteConformance:
    """Subclasses say how the suite is made; two calls must give the same suite."""

    def make(self) -> Suite:
        raise AssertionError("a subclass says how")

    def solution(self, task: Task) -> list[ToolCall]:
        """Calls that solve a task of the suite."""
        raise AssertionError("a subclass says how")

    def test_tasks_are_the_same_every_time(self) -> None:
        for split in Split:
            assert list(self.make().tasks(split)) == list(self.make().tasks(split))

    def test_ids_are_unique_and_splits_share_nothing(self) -> None:
        suite = self.make()
        search, holdout = (suite.tasks(split) for split in Split)
        ids = [t.task_id for t in (*search, *holdout)]
        assert len(set(ids)) == len(ids)
        assert not {t.prompt for t in search} & {t.prompt for t in holdout}
        assert {t.split for t in search} == {Split.SEARCH}
        assert {t.split for t in holdout} == {Split.HOLDOUT}

    def test_tools_are_shown_as_json_schema_of_an_object(self) -> None:
        suite = self.make()
        environment = suite.open(suite.tasks(Split.SEARCH)[0])
        names = [tool.name for tool in environment.tools]
        assert len(set(names)) == len(names)
        for tool in environment.tools:
            assert tool.description
            assert json.loads(json.dumps(tool.parameters)) == tool.parameters
            assert tool.parameters["type"] == "object"
            for schema in tool.parameters["properties"].values():
                assert "type" in schema or "enum" in schema
            assert set(tool.parameters.get("required", ())) <= set(tool.parameters["properties"])
        environment.close()

    def test_examples_use_the_tools_that_there_are(self) -> None:
        suite = self.make()
        environment = suite.open(suite.tasks(Split.SEARCH)[0])
        known = {t.name: set(t.parameters["properties"]) for t in environment.tools}
        environment.close()
        for step in (s for e in suite.examples for s in e.steps):
            assert step.tool in known
            assert set(step.arguments) <= known[step.tool]

    async def test_an_unknown_tool_is_an_error_result(self) -> None:
        suite = self.make()
        environment = suite.open(suite.tasks(Split.SEARCH)[0])
        result = await environment.call(ToolCall("c", "no_such_tool", {}))
        assert result.is_error
        assert result.call_id == "c"
        environment.close()

    async def test_every_environment_is_fresh(self) -> None:
        suite = self.make()
        for task in suite.tasks(Split.SEARCH)[:14]:
            used, beside = suite.open(task), suite.open(task)
            untouched = beside.verify(None)
            said = [await used.call(c) for c in self.solution(task)]
            used.close()
            after = suite.open(task)
            assert beside.verify(None) == untouched == after.verify(None)
            for environment in (beside, after):
                assert [await environment.call(c) for c in self.solution(task)] == said
                environment.close()

    def test_no_answer_scores_nothing(self) -> None:
        suite = self.make()
        for task in suite.tasks(Split.SEARCH)[:14]:
            environment = suite.open(task)
            assert environment.verify(None) == 0
            environment.close()
