"""The import contracts hold, and each of them breaks when it is violated: a rule that cannot fail is none."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("backoffice", "ledger", "integrations", "accounts", "payments", "reconciliation", "reporting")

# contract -> (file to add to, line that violates it)
VIOLATIONS = {
    "1 Rooms form layers": ("ledger/services/journal.py", "import accounts.models"),
    "2 Inside a room": ("accounts/services/clients.py", "import accounts.tasks"),
    "2 Inside a room: exhaustive": ("accounts/helpers.py", '"""A module that the contract does not know."""'),
    "3 Only the registry knows a vendor": ("accounts/services/clients.py", "import integrations.adapters.camt053"),
    "4 Floats and paper stay at the edge": ("ledger/services/journal.py", "import pandas"),
    "5 Reporting never writes elsewhere": ("reporting/views.py", "import ledger.services.journal"),
    "6 No cycles at any depth": ("backoffice/kernel/money.py", "import backoffice.organisation.models"),
    "7 Nobody imports settings": ("ledger/services/journal.py", "import backoffice.settings.base"),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("house")
    for room in ROOMS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint(folder: Path) -> str:
    command = shutil.which("lint-imports") or str(Path(sys.executable).parent / "lint-imports")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        [command, "--no-cache"], cwd=folder, capture_output=True, text=True, check=False, env=environment, timeout=120
    )
    return done.stdout + done.stderr


def test_the_contracts_hold():
    assert re.search(r"Contracts: \d+ kept, 0 broken", lint(ROOT))


@pytest.mark.parametrize("contract", VIOLATIONS)
def test_each_contract_breaks_when_it_is_violated(contract, copy):
    name, line = VIOLATIONS[contract]
    path = copy / name
    before = path.read_text() if path.exists() else None
    path.write_text((before or "") + f"\n{line}\n")
    try:
        answer = lint(copy)
    finally:
        path.unlink() if before is None else path.write_text(before)
    number = contract.split()[0]
    broken = [text for text in answer.splitlines() if text.endswith("BROKEN")]
    assert any(text.startswith(number) for text in broken), answer
