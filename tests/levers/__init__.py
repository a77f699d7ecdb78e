"""Tests of the levers."""

import pytest

pytest.register_assert_rewrite("tests.levers.conformance", "tests.levers.conversations")
