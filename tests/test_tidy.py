"""House rules that a linter does not know."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.apps import apps
from django.db.backends.postgresql.psycopg_any import is_psycopg3

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("backoffice", "ledger", "integrations", "accounts", "payments", "reconciliation", "reporting")
LINES_MAX = 400
FUNCTION_MAX = 50
BANNED_NAMES = {"utils", "helpers", "common", "core", "misc", "extras", "base_utils"}
# Layers from the bottom up; a foreign key points to the same layer or down.
LAYERS = [
    {"auth", "contenttypes", "sessions", "admin", "guardian", "otp_totp", "axes"},
    {"organisation"},
    {"audit", "outbox", "ui"},
    {"approvals"},
    {"access", "signin"},
    {"ledger", "integrations"},
    {"accounts"},
    {"payments"},
    {"reconciliation", "partners"},
    {"reporting"},
]


def sources(*patterns: str) -> Iterator[Path]:
    for room in ROOMS:
        for pattern in patterns or ("*.py",):
            for path in sorted((ROOT / room).rglob(pattern)):
                if "migrations" not in path.parts and "__pycache__" not in path.parts:
                    yield path


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def test_files_and_functions_stay_small():
    long_files = [
        f"{p.relative_to(ROOT)}: {n}" for p in sources() if (n := len(p.read_text().splitlines())) > LINES_MAX
    ]
    long_functions = [
        f"{p.relative_to(ROOT)}:{f.lineno} {f.name}: {f.end_lineno - f.lineno + 1}"
        for p in sources()
        for f in functions(p)
        if f.end_lineno and f.end_lineno - f.lineno + 1 > FUNCTION_MAX
    ]
    assert long_files == []
    assert long_functions == []


def test_no_catch_all_modules():
    assert [p for p in sources() if p.stem in BANNED_NAMES or p.parent.name in BANNED_NAMES] == []


def test_every_module_says_what_it_is_for():
    trivial = {"__init__.py", "apps.py"}
    silent = [
        str(p.relative_to(ROOT))
        for p in sources()
        if p.name not in trivial and p.read_text().strip() and not ast.get_docstring(ast.parse(p.read_text()))
    ]
    assert silent == []


def test_nobody_reads_the_clock_but_the_clock():
    allowed = {ROOT / "backoffice" / "kernel" / "clock.py"}
    pattern = re.compile(r"datetime\.now\(|datetime\.utcnow\(|timezone\.now\(|date\.today\(|time\.time\(\)")
    outside = ("simulators", "launcher")
    found = [
        str(p.relative_to(ROOT))
        for p in sources()
        if p not in allowed and not any(part in outside for part in p.parts) and pattern.search(p.read_text())
    ]
    assert found == []


def test_services_take_the_actor_by_name_and_first():
    """A public function in services that writes takes keywords only, and `actor` first when it has one."""
    wrong = []
    for path in sources():
        if "services" not in path.parts and path.name != "services.py":
            continue
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and any(
                a.arg == "actor" for a in (*node.args.args, *node.args.kwonlyargs)
            ):
                if node.name.startswith("_"):
                    continue
                names = [a.arg for a in node.args.kwonlyargs]
                if node.args.args or not names or names[0] != "actor":
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert wrong == []


def test_views_and_tasks_do_not_write():
    verbs = re.compile(r"\.(save|create|bulk_create|update|delete|get_or_create|update_or_create)\(")
    found = []
    for path in sources():
        if path.name in ("views.py", "tasks.py") or "views" in path.parts:
            found += [f"{path.relative_to(ROOT)}: {m.group()}" for m in verbs.finditer(path.read_text())]
    assert [line for line in found if "hashlib" not in line] == []


def test_templates_say_their_context_and_nothing_unsafe():
    silent, unsafe = [], []
    for path in sorted((ROOT / "templates").rglob("*.html")):
        text = path.read_text()
        if not text.lstrip().startswith("{#"):
            silent.append(path.name)
        if re.search(r"\|safe\b|autoescape off|<script>|style=|onclick=", text):
            unsafe.append(path.name)
    assert (silent, unsafe) == ([], [])


def test_foreign_keys_point_down():
    level = {label: number for number, labels in enumerate(LAYERS) for label in labels}
    wrong = []
    own = {label for labels in LAYERS[1:] for label in labels}
    for model in (m for m in apps.get_models(include_auto_created=True) if m._meta.app_label in own):
        for field in model._meta.get_fields():
            target = getattr(field, "related_model", None)
            if not getattr(field, "many_to_one", False) or target is None or isinstance(target, str):
                continue
            here, there = level[model._meta.app_label], level[target._meta.app_label]
            siblings = here == there and model._meta.app_label != target._meta.app_label and here > 0
            if there > here or siblings:
                wrong.append(f"{model._meta.label}.{field.name} -> {target._meta.label}")
    assert wrong == []


def test_psycopg_3_is_not_there():
    assert not is_psycopg3


def test_security_floors():
    """Versions below these have known holes."""
    from importlib.metadata import version

    def numbers(name: str) -> tuple[int, ...]:
        return tuple(int(part) for part in re.findall(r"\d+", version(name))[:3])

    assert numbers("django") >= (5, 2, 19)
    assert numbers("weasyprint") >= (70, 0)
    assert numbers("celery") >= (5, 7)
    assert numbers("lxml") >= (6, 1)


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX", "NotImplementedError"])
def test_nothing_is_left_open(word):
    assert [str(p.relative_to(ROOT)) for p in sources() if word in p.read_text()] == []


def test_no_path_of_a_machine_is_committed():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout")
    texts = [
        p
        for name in listed.stdout.split()
        if (p := ROOT / name).suffix in {".py", ".md", ".toml", ".sh", ".yml", ".html"}
    ]
    pattern = re.compile("/" + "work/|/" + "tmp/lab|/" + r"root/\.")
    assert [str(p.relative_to(ROOT)) for p in texts if p.exists() and pattern.search(p.read_text())] == []
