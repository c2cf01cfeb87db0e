"""`manage demo seed` makes the demo's broker; `manage demo check` compares what was planted with what was found."""

from __future__ import annotations

import json
import logging
import signal
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from backoffice.demo import checker, people, seeding
from backoffice.kernel.commands import day
from backoffice.kernel.errors import DomainError
from backoffice.kernel.plain import plain
from reconciliation.models import CLASSES


class Command(BaseCommand):
    help = "A simulated broker: a month of history and one live day with known faults, from a seed."

    def add_arguments(self, parser: CommandParser) -> None:
        steps = parser.add_subparsers(dest="step", required=True, metavar="seed|check|code")
        seed = steps.add_parser("seed", help="make the broker in an empty database; progress goes to stderr")
        check = steps.add_parser("check", help="reconcile the live day again and compare; one JSON object on stdout")
        code = steps.add_parser("code", help="the six digits somebody's phone would show now")
        code.add_argument("user", help="the user name")
        for step in (seed, check):
            step.add_argument("--seed", type=int, required=True, help="a whole number from 1 on")
            step.add_argument("--date", type=day, help="the live day; without it the last business day before today")
        check.add_argument(
            "--without", metavar="CLASS", choices=sorted(CLASSES), help="first stop reporting this class of break"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["step"] == "code":
            self._code(options["user"])
            return
        if options["seed"] < 1:
            raise CommandError("--seed: a whole number from 1 on.")
        if options["step"] == "seed":
            self._seed(options)
        else:
            self._check(options)

    def _seed(self, options: dict[str, Any]) -> None:
        # A request to end must pass through the code that stops the simulated server.
        signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
        # The demo makes the server misbehave; the feed's remarks on it are not news.
        logging.getLogger("integrations.mt5_webapi").setLevel(logging.ERROR)
        try:
            seeding.seed(number=options["seed"], asked=options["date"], say=self._say)
        except DomainError as error:
            raise CommandError(str(error)) from error

    def _check(self, options: dict[str, Any]) -> None:
        try:
            result = checker.check(number=options["seed"], asked=options["date"], without=options["without"])
        except DomainError as error:
            self.stdout.write(json.dumps({"ok": False, "error": str(error)}, ensure_ascii=False))
            raise CommandError(str(error)) from error
        self.stdout.write(json.dumps(plain(result), ensure_ascii=False))
        if not result["ok"]:
            raise SystemExit(1)

    def _code(self, user: str) -> None:
        """For the demo's people only: anybody else has a phone."""
        try:
            if seeding.held() is None:
                raise CommandError("This database holds no demo. People of a real one have their own phones.")
            digits, begins, ends = people.code(user)
        except DomainError as error:
            raise CommandError(str(error)) from error
        start = f"in {begins} seconds, " if begins else ""
        self.stdout.write(f"{digits}  ({start}once, for {ends - begins} seconds)")

    def _say(self, text: str) -> None:
        self.stderr.write(text, lambda plain_text: plain_text)
        self.stderr.flush()
