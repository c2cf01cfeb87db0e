"""Run SQL for `bo`, which has no database driver: the virtual environment's Python runs this file.

Standard input: {"url": ..., "statements": [[sql, parameters or null], ...]}. Standard output: a list with the rows of
each statement. Addresses and passwords so never appear on a command line.
"""

from __future__ import annotations

import json
import sys

import psycopg2


def main() -> int:
    task = json.load(sys.stdin)
    results = []
    try:
        link = psycopg2.connect(task["url"], connect_timeout=10)
        link.autocommit = True
        with link.cursor() as cursor:
            for statement, parameters in task["statements"]:
                cursor.execute(statement, parameters)
                results.append(cursor.fetchall() if cursor.description else [])
        link.close()
    except psycopg2.Error as error:
        sys.stderr.write(f"{error}\n")
        return 1
    json.dump(results, sys.stdout, default=str)
    return 0


if __name__ == "__main__":
    sys.exit(main())
