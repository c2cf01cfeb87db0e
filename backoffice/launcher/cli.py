"""The command line of `bo`: which command, with which options, and how its end is told."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from datetime import date

from backoffice.launcher import commands, demo
from backoffice.launcher.console import Refusal, Stopped, explain
from backoffice.launcher.folders import ROOT

# The shell's convention for "ended by Ctrl-C".
INTERRUPTED = 130

COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    "demo": lambda arguments: demo.run(demo_options(arguments)),
    "test": commands.test,
    "bench": commands.bench,
    "manage": commands.manage,
    "check": lambda _: commands.check(),
}


def main(name: str, arguments: Sequence[str]) -> int:
    """Run a command; a refusal is one sentence on standard error and a non-zero status, never a traceback."""
    os.chdir(ROOT)
    try:
        if name not in COMMANDS:
            raise Refusal(f"There is no command {name!r}. `python3 bo --help` lists them.", 2)
        return COMMANDS[name](arguments)
    except Stopped:
        return INTERRUPTED
    except Refusal as refusal:
        sys.stderr.write(f"bo: {refusal}\n")
        return refusal.code
    except OSError as error:
        sys.stderr.write(f"bo: {explain(error)}\n")
        return 1


def demo_options(arguments: Sequence[str]) -> demo.Options:
    parser = argparse.ArgumentParser(prog="python3 bo demo", allow_abbrev=False)
    parser.add_argument("--fresh", action="store_true", help="start over: remove the demo's data first")
    parser.add_argument("--check", action="store_true", help="headless, on data of its own; prints one JSON object")
    parser.add_argument("--seed", type=_seed, help=f"what the simulated broker is made from ({demo.DEFAULT_SEED})")
    parser.add_argument("--date", type=_date, help="the demo day, YYYY-MM-DD")
    parser.add_argument("--port", type=_port, default=demo.DEFAULT_PORT, help="port on 127.0.0.1 (%(default)s)")
    parser.add_argument(
        "--without", metavar="CLASS", help="with --check: switch one class of break off, to see it fail"
    )
    options = demo.Options(**vars(parser.parse_args(arguments)))
    if options.without and not options.check:
        parser.error("--without goes with --check")
    return options


def _seed(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("a whole number from 1 on")
    return value


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no date of the form YYYY-MM-DD") from None


def _port(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 65_535:
        raise argparse.ArgumentTypeError("a number from 1 to 65535")
    return int(text)
