"""A pinned pip, fetched with the standard library, for machines whose Python brings none at all."""

from __future__ import annotations

import configparser
import hashlib
import os
import re
import urllib.request
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urljoin

from backoffice.launcher.console import Refusal, say
from backoffice.launcher.folders import VAR, make_folder

WHEEL = "pip-26.3-py3-none-any.whl"
SHA256 = "f3b60b20ffaadd4415ed7957212a38ac63fa4c5fa375bd0f4a797777940fad13"
PUBLIC_INDEX = "https://pypi.org/simple"


def pinned_pip() -> Path:
    """The wheel's path; it is downloaded once, kept, and used only if its SHA-256 is the pinned one."""
    kept = make_folder(VAR / "cache") / WHEEL
    if not (kept.exists() and hashlib.sha256(kept.read_bytes()).hexdigest() == SHA256):
        say(f"downloading {WHEEL}")
        content = fetch(index_url())
        found = hashlib.sha256(content).hexdigest()
        if found != SHA256:
            raise Refusal(f"{WHEEL} from the package index has SHA-256 {found}, not {SHA256}. It was not used.")
        fresh = kept.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(content)
        fresh.replace(kept)
    return kept


def index_url() -> str:
    """The package index that pip would use: its environment variable, its configuration files, the public one."""
    if os.environ.get("PIP_INDEX_URL"):
        return os.environ["PIP_INDEX_URL"]
    home = Path.home()
    files = [
        os.environ.get("PIP_CONFIG_FILE"),
        home / ".config/pip/pip.conf",
        home / ".pip/pip.conf",
        "/etc/pip.conf",
    ]
    for file in files:
        parser = configparser.RawConfigParser()
        try:
            parser.read([file] if file else [])
        except configparser.Error:
            continue
        if parser.has_option("global", "index-url"):
            return parser.get("global", "index-url")
    return PUBLIC_INDEX


def fetch(index: str) -> bytes:
    """The wheel's bytes by way of the index's page for pip."""
    page = f"{index.rstrip('/')}/pip/"
    try:
        with urllib.request.urlopen(page, timeout=60) as answer:  # noqa: S310 - an index the person configured
            text = answer.read().decode(errors="replace")
            page = answer.geturl()
        link = re.search(rf'href="([^"]*{re.escape(WHEEL)})[#"]', text)
        if link is None:
            raise Refusal(f"The package index has no {WHEEL}. Install pip 22.3 or newer, or uv, and start again.")
        with urllib.request.urlopen(urljoin(page, link[1]), timeout=120) as answer:  # noqa: S310
            return bytes(answer.read())
    except (URLError, TimeoutError) as error:
        raise Refusal(f"The package index does not answer ({error}). The first start needs it.") from error
