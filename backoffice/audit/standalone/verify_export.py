#!/usr/bin/env python3
"""Check an exported audit log without the software that made it: Python 3.9 or later and `cryptography`.

    python3 verify_export.py EXPORT.jsonl --key PUBLIC_KEY [--key ...] [--heads FILE_OR_FOLDER]

PUBLIC_KEY is the operator's public seal key in base64, obtained from the operator on another way than this file.
--heads compares with the heads kept outside the database (heads-YYYY-MM.jsonl). Checked: each head's signature and
its link to the one before; each row's place in its head by RFC 6962 inclusion proof; in a whole export, that no row
of the range is missing. Exit code 0 when all holds; else 1, and each thing that does not is named, first one first.
"""

from __future__ import annotations

import argparse
import base64
import json
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

problems: list[str] = []


def bad(line: int, text: str) -> None:
    problems.append(f"line {line}: {text}")


def root_from(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes | None:
    """RFC 9162, section 2.1.3.2: the root that a leaf's proof leads to, or None when the proof does not fit."""
    node, last = sha256(b"\x00" + leaf).digest(), size - 1
    if index > last:
        return None
    for sibling in path:
        if last == 0:
            return None
        if index % 2 or index == last:
            node = sha256(b"\x01" + sibling + node).digest()
            while index % 2 == 0 and index:
                index, last = index // 2, last // 2
        else:
            node = sha256(b"\x01" + node + sibling).digest()
        index, last = index // 2, last // 2
    return node if last == 0 else None


def check_head(line: int, head: Any, keys: list[str], before: Any) -> tuple[Any, tuple[int, str]]:
    text = head["statement"]
    said = json.loads(text)
    if head["key"] not in keys:
        bad(line, f"head {head['number']} is signed by a key that was not given: {head['key']}")
    else:
        try:
            public = Ed25519PublicKey.from_public_bytes(base64.b64decode(head["key"]))
            public.verify(base64.b64decode(head["signature"]), text.encode())
        except (InvalidSignature, ValueError):
            bad(line, f"the signature of head {head['number']} does not fit")
    if said["number"] != head["number"]:
        bad(line, f"head {head['number']} says it is number {said['number']}")
    if before and (said["number"] != before[0] + 1 or said["previous"] != before[1]):
        bad(line, f"head {said['number']} does not follow head {before[0]}")
    return said, (said["number"], sha256(text.encode()).hexdigest())


def check_row(line: int, row: Any, heads: Any, seen: Any) -> None:
    head = heads.get(row["seal"])
    part = next((p for p in head["streams"] if p["stream"] == row["stream"]), None) if head else None
    name = f"{row['stream']} {row['key']}"
    if part is None:
        bad(line, f"{name}: no head {row['seal']} speaks of its stream")
        return
    index = row["position"] - part["first"]
    path = [bytes.fromhex(node) for node in row["path"]]
    root = root_from(row["leaf"].encode(), index, part["count"], path) if index >= 0 else None
    if root is None or root.hex() != part["root"]:
        bad(line, f"{name}: is not what was sealed at position {row['position']}")
    elif json.loads(row["leaf"]).get("id") != row["key"]:
        bad(line, f"{name}: its content is about another row")
    else:
        seen.setdefault(row["stream"], set()).add(row["position"])


def check_whole(about: Any, heads: Any, seen: Any) -> None:
    for number in range(about["first_seal"], about["last_seal"] + 1):
        if number not in heads:
            bad(1, f"head {number} is missing")
    for number, head in sorted(heads.items()):
        for part in head["streams"]:
            if about["streams"] != "all" and part["stream"] not in about["streams"]:
                continue
            for position in range(part["first"], part["first"] + part["count"]):
                if position not in seen.get(part["stream"], ()):
                    bad(1, f"{part['stream']}: the row at position {position} (head {number}) is missing")


def check_outside(place: Path, ours: dict[int, str]) -> None:
    files = sorted(place.glob("heads-*.jsonl")) if place.is_dir() else [place]
    found = {}
    for file in files:
        for text in file.read_text(encoding="utf-8").splitlines():
            try:
                head = json.loads(text)
                found[head["number"]] = head["head"]
            except (ValueError, KeyError, TypeError):
                continue  # a line that a crash cut short; its head comes again in full
    for number, head in sorted(ours.items()):
        if found.get(number) != head:
            bad(1, f"head {number} is not the one kept outside")


def main() -> int:
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("export", type=Path)
    parser.add_argument("--key", action="append", required=True, help="a public key that may have signed, base64")
    parser.add_argument("--heads", type=Path, help="the heads kept outside: a file or their folder")
    given = parser.parse_args()
    about, before = cast("tuple[Any, Any]", (None, None))
    heads: dict[int, Any] = {}
    hashes: dict[int, str] = {}
    seen: dict[str, set[int]] = {}
    with given.export.open(encoding="utf-8") as file:
        for line, text in enumerate(file, 1):
            item = json.loads(text)
            if item["type"] == "about":
                about = item
            elif item["type"] == "head":
                said, before = check_head(line, item, given.key, before)
                heads[said["number"]], hashes[said["number"]] = said, before[1]
            else:
                check_row(line, item, heads, seen)
    if about is None or about["format"] != "backoffice-audit-1":
        bad(1, "this is not an export of an audit log")
    elif about["whole"]:
        check_whole(about, heads, seen)
    if given.heads:
        check_outside(given.heads, hashes)
    sys.stdout.write("".join(f"NOT: {text}\n" for text in problems[:50]))
    verdict = f"{len(problems)} things do not hold" if problems else "everything holds"
    what = "whole range" if about and about["whole"] else "chosen rows"
    sys.stdout.write(f"{len(heads)} heads, {sum(map(len, seen.values()))} good rows ({what}): {verdict}\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
