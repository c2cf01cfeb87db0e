"""The demo's own files in the state folder. The product reads none of them but through the launcher."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

from django.conf import settings

_PRIVATE = 0o600


def folder() -> Path:
    """Where the demo keeps its files, the server's database and the list of what was planted."""
    return Path(settings.STATE_DIR) / "demo"


def start_over() -> Path:
    """An empty folder."""
    shutil.rmtree(folder(), ignore_errors=True)
    (folder() / "files").mkdir(parents=True)
    return folder()


def planted_path() -> Path:
    return folder() / "planted.json"


def people_path() -> Path:
    return Path(settings.STATE_DIR) / "people.json"


def simulators_path() -> Path:
    return Path(settings.STATE_DIR) / "simulators.json"


def write(path: Path, value: Any) -> None:
    """Write a private file whole or not at all."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE), "w") as file:
        json.dump(value, file, indent=1, ensure_ascii=False)
        file.write("\n")
    fresh.replace(path)


def read(path: Path) -> Any:
    """The file's value, or None where there is none."""
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None
