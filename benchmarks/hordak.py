"""django-hordak as a contender: a process of its own, because it needs settings of its own.

Started by us it reads one order per line and answers with the seconds it took:
`bulk COUNT`, `single PROCESSES COUNT hot|spread`.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import subprocess
import sys
import time
from decimal import Decimal
from typing import Any

from benchmarks import place

DATABASE = f"{place.PREFIX}hordak"


class Hordak:
    """The other end: send an order, get the seconds."""

    def __enter__(self) -> Hordak:
        place.drop(DATABASE)
        place.create(DATABASE)
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "benchmarks.hordak_settings",
            "HORDAK_DATABASE": DATABASE,
        }
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.hordak"],
            env=environment,
            text=True,
            bufsize=1,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self.order("ready")
        return self

    def order(self, *words: object) -> float:
        process = self._process
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(" ".join(map(str, words)) + "\n")
        answer = process.stdout.readline()
        if not answer:
            raise RuntimeError("the process of django-hordak ended; its error is above")
        return float(answer)

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()
        place.drop(DATABASE)


def _main() -> None:
    import django

    django.setup()
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    accounts = _accounts()
    for line in sys.stdin:
        match line.split():
            case ["ready"]:
                taken = 0.0
            case ["bulk", count]:
                taken = _bulk(accounts, int(count))
            case ["single", processes, count, spread]:
                taken = _parallel(accounts, int(processes), int(count), hot=spread == "hot")
            case words:
                raise ValueError(words)
        print(taken, flush=True)


def _accounts() -> list[Any]:
    from django.db import transaction
    from hordak.models import Account

    with transaction.atomic(), Account.objects.disable_mptt_updates():
        for number in range(1000):
            Account.objects.create(name=f"account {number}", type="LI", currencies=["USD"])
    return list(Account.objects.all())


def _bulk(accounts: list[Any], count: int) -> float:
    """As django-hordak's documentation does many transactions: bulk_create of both tables in one transaction."""
    from django.db import transaction
    from hordak.models import Leg, Transaction
    from moneyed import Money

    start = time.perf_counter()
    with transaction.atomic():
        made = Transaction.objects.bulk_create(Transaction(description="Deal 123 EURUSD") for _ in range(count))
        legs = []
        for item in made:
            one, other = random.sample(accounts, 2)
            amount = Decimal(random.randint(1, 100_000)) / 100
            legs.append(Leg(transaction=item, account=one, amount=Money(amount, "USD")))
            legs.append(Leg(transaction=item, account=other, amount=Money(-amount, "USD")))
        Leg.objects.bulk_create(legs)
    return time.perf_counter() - start


def _parallel(accounts: list[Any], processes: int, count: int, *, hot: bool) -> float:
    from moneyed import Money

    from benchmarks.parallel import longest

    def once() -> None:
        one, other = random.sample(accounts[1:], 2)
        one.transfer_to(accounts[0] if hot else other, Money(Decimal(random.randint(1, 100_000)) / 100, "USD"))

    return longest(once, processes=processes, count=count)


if __name__ == "__main__":
    multiprocessing.set_start_method("fork")
    _main()
