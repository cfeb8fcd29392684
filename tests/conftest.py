"""Fixtures and options that all tests share."""

from __future__ import annotations

import pytest
from hypothesis import settings

import support

settings.register_profile("echoproto", deadline=None)
settings.load_profile("echoproto")


def pytest_addoption(parser):
    parser.addoption("--no-skips", action="store_true", help="a test that is skipped fails the run")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    if report.skipped and item.config.getoption("--no-skips"):
        report.outcome = "failed"
        report.longrepr = f"skipped, with --no-skips: {report.longrepr[2]}"
    return report


@pytest.fixture(scope="session")
def server():
    """A server that tests share; its log is theirs together."""
    with support.serve() as running:
        yield running
