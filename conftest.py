"""The project's own test configuration: pytester for tests of the plugin, and one place for the data folder."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder of test data."""
    return Path(__file__).parent / "tests" / "data"


@pytest.fixture(scope="session")
def project() -> Path:
    """Return the project's root."""
    return Path(__file__).parent
