"""The labelled files of another project, judged: used by tests and by nothing else."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

SETS = Path(settings.BASE) / "docs" / "labelled"
FOLDER = Path(settings.BASE).parent / "shared" / "samples" / "recon_labelled"


def spec_of(number: str) -> Mapping[str, Any]:
    spec: Mapping[str, Any] = json.loads((SETS / f"context-{number}.json").read_text())
    return spec


def folder_of(number: str) -> Path:
    found = sorted(FOLDER.glob(f"context-{number}*"))
    if not found:
        pytest.skip(f"the labelled files are not here: {FOLDER}")
    return found[0]
