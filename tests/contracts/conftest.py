"""Checks in the shipped contracts are shown like those of any other test."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("hpspace.testing.stores")
