"""What every command of ours shares: `--json`, refusals as one line on stderr, exit code 1.

With `--json` a command prints one JSON object on standard output and nothing else; decimals and moments are
texts in it, so that no reader turns money into a float.
"""

from __future__ import annotations

import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import InterfaceError, OperationalError

from backoffice.kernel.errors import DomainError
from backoffice.kernel.plain import plain


class Command(BaseCommand):
    """A command that returns what it did; `answer` carries it, `sentences` says it to people."""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        return parser

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            result = self.answer(**options)
        except DomainError as error:
            raise self._refusal(str(error), options["json"]) from error
        except (InterfaceError, OperationalError) as error:
            why = " ".join(str(error).split())
            text = f"The database did not answer: {why}. What was not finished is undone; run the same command again."
            raise self._refusal(text, options["json"]) from error
        if options["json"]:
            self.stdout.write(json.dumps(plain(result), ensure_ascii=False))
        else:
            for sentence in self.sentences(result):
                self.stdout.write(sentence)
        code = self.exit_code(result)
        if code:
            raise SystemExit(code)

    def _refusal(self, text: str, as_json: bool) -> CommandError:
        if as_json:
            self.stdout.write(json.dumps({"error": text}))
        return CommandError(text)

    def answer(self, **options: Any) -> dict[str, Any]:
        """Do it and return what happened."""
        raise AssertionError("every command answers")

    def sentences(self, result: dict[str, Any]) -> list[str]:
        """The answer for people; one line per field unless a command says it better."""
        return [f"{name}: {value}" for name, value in result.items()]

    def exit_code(self, result: dict[str, Any]) -> int:
        return 0


def day(text: str) -> date:
    """An argument that is a date."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is not a date; write it as 2026-11-19.") from error
