"""Report files are what they were when they were handed out."""

from __future__ import annotations

from collections.abc import Iterator

from django.db import connection

from backoffice.kernel.findings import Finding

_LIMIT = 50
_RULES = {
    "a report file has the bytes that were made": """
        SELECT 'report file ' || f.id, coalesce(octet_length(c.body)::text, 'no') || ' bytes kept, ' || f.size || ' made'
          FROM reporting_reportfile f
          LEFT JOIN (SELECT file_id, string_agg(body, ''::bytea ORDER BY number) AS body
                       FROM reporting_reportchunk GROUP BY file_id) c ON c.file_id = f.id
         WHERE c.body IS NULL OR octet_length(c.body) <> f.size OR encode(sha256(c.body), 'hex') <> f.sha256""",
    "a finished report has every file that was asked for": """
        SELECT 'report run ' || r.id, 'no ' || w.format
          FROM reporting_reportrun r
         CROSS JOIN LATERAL jsonb_array_elements_text(r.formats) AS w (format)
         WHERE r.state = 'DONE' AND NOT EXISTS (SELECT FROM reporting_reportfile f
                                                 WHERE f.run_id = r.id AND f.format = w.format)""",
    "a report is about an entity": """
        SELECT 'report run ' || r.id, 'no entity' FROM reporting_reportrun r
         WHERE NOT EXISTS (SELECT FROM reporting_runentity e WHERE e.run_id = r.id)""",
}


def findings() -> Iterator[Finding]:
    """At most fifty findings per rule."""
    with connection.cursor() as cursor:
        for rule, query in _RULES.items():
            cursor.execute(f"{query} LIMIT {_LIMIT}")
            for subject, detail in cursor.fetchall():
                yield Finding(rule, subject, detail)
