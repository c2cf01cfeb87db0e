"""`manage audit seal | verify | export | key`: the log's proof from the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from backoffice.audit import signing
from backoffice.audit.selectors import chain
from backoffice.audit.services import export, sealing
from backoffice.kernel.actor import System
from backoffice.kernel.commands import Command as Base
from backoffice.kernel.commands import day


class Command(Base):
    help = "Seal the log now, verify all of it, export a part with proofs, or make a key."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["seal", "verify", "export", "key"])
        parser.add_argument("--from", dest="first", type=day, help="export: first UTC day of sealing")
        parser.add_argument("--to", dest="last", type=day, help="export: last UTC day of sealing")
        parser.add_argument("--out", type=Path, default=Path("audit-export.jsonl"), help="export: the file to write")
        parser.add_argument("--stream", action="append", default=[], help="export: only this stream")
        parser.add_argument("--key", action="append", type=int, default=[], help="export: only the row with this id")
        parser.add_argument("--target", default="", help="export: only entries about this (accounts.client:5)")

    def answer(self, **options: Any) -> dict[str, Any]:
        work = {"seal": self._seal, "verify": self._verify, "export": self._export, "key": self._key}
        return work[options["what"]](options)

    def _seal(self, options: dict[str, Any]) -> dict[str, Any]:
        return {"sealed": sealing.seal()}

    def _verify(self, options: dict[str, Any]) -> dict[str, Any]:
        return chain.check().result()

    def _export(self, options: dict[str, Any]) -> dict[str, Any]:
        if options["first"] is None or options["last"] is None:
            raise CommandError("Say from when to when: --from 2026-11-01 --to 2026-11-30.")
        if options["key"] and len(options["stream"]) != 1:
            raise CommandError("An id belongs to one stream: add --stream audit.entries, for example.")
        done = export.export(
            actor=System("manage audit export"),
            path=options["out"],
            first=options["first"],
            last=options["last"],
            only=options["stream"],
            keys=options["key"],
            target=options["target"],
        )
        return {
            "file": str(done.path),
            "script": str(done.script),
            "heads": done.heads,
            "rows": done.rows,
            "head": done.last_head,
        }

    def _key(self, options: dict[str, Any]) -> dict[str, Any]:
        private, public = signing.new_key()
        return {"BACKOFFICE_SEAL_KEY": private, "BACKOFFICE_SEAL_PUBLIC_KEYS": public}

    def sentences(self, result: dict[str, Any]) -> list[str]:
        if "clean" not in result:
            return super().sentences(result)
        rows = sum(result["rows"].values())
        about = f"{result['seals']} seals, {rows} rows; {result['waiting']} wait for their seal"
        if result["clean"]:
            return [f"Everything holds: {about}."]
        found = [f"  {f['rule']}: {f['subject']}: {f['detail']}" for f in result["findings"]]
        return [f"NOT: {result['first_bad']}", *found, about]

    def exit_code(self, result: dict[str, Any]) -> int:
        return 0 if result.get("clean", True) else 1
