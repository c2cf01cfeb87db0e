"""The browser tests' fixtures: one Chromium per module, a live server on the test's database, visitors to it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import connections

from tests import signed_in
from tests.browser import Visitor, chromium

signed_in.install()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A running Chromium. Playwright keeps an event loop in this thread for as long, in which Django refuses the
    database unless told otherwise, and in which it has connections of its own."""
    from playwright.sync_api import sync_playwright

    program = chromium()
    connections.close_all()
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        # Chromium's own sandbox does not work as root or in most containers; only our own pages are opened.
        arguments = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        running = playwright.chromium.launch(executable_path=program, args=arguments)
        yield running
        running.close()
        connections.close_all()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def visit(browser: Any, live_server: Any) -> Iterator[Callable[..., Visitor]]:
    """Opens windows of the application; at the end no window may have complained."""
    opened: list[Visitor] = []

    def visit(**options: Any) -> Visitor:
        opened.append(Visitor(browser, live_server.url, **options))
        return opened[-1]

    yield visit
    complaints = [complaint for visitor in opened for complaint in visitor.complaints]
    for visitor in opened:
        visitor.window.close()
    assert complaints == []
