"""Writes a task's broken function and its tests into the task's folder."""

from __future__ import annotations

import json
import os
from pathlib import Path

task = json.loads(os.environ["LEANLOOP_TASK"])
Path("task.py").write_text(task["code"])
lines = [f"        self.assertEqual({call}, {value})" for call, value in task["cases"].items()]
head = ["import unittest", "", f"from task import {task['id']}", "", ""]
body = ["class TestTask(unittest.TestCase):", "    def test_it(self):", *lines, ""]
Path("test_task.py").write_text("\n".join([*head, *body]))
