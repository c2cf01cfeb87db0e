"""The ten roles of a broker's staff and what each may do; `manage load_roles` turns this into groups.

Codes and duties follow the usual split of a brokerage: who may ask is never who may agree, and the system
administrator has no hand on money. A permission is "app.codename".
"""

from __future__ import annotations

from dataclasses import dataclass

# What everybody on the floor may look at; the administrator (SYS) may not.
_CLIENTS = ("accounts.view_client", "accounts.view_tradingaccount")
_FACTS = (
    "integrations.view_deal",
    "integrations.view_fill",
    "integrations.view_pspline",
    "integrations.view_bankline",
    "integrations.view_rawmessage",
    "integrations.view_fileimport",
    "integrations.view_rejection",
    "integrations.view_symbolmapping",
    "accounts.view_unbooked",
)
_BOOKS = ("ledger.view_journal", "ledger.view_ledgeraccount")
_RECONCILIATION = ("reconciliation.view_break", "reconciliation.view_run")
_APPROVALS = ("approvals.view_request",)
_TODAY = ("reporting.view_today",)
_FLOOR = (*_TODAY, *_CLIENTS, *_FACTS, *_RECONCILIATION, *_APPROVALS, "reporting.view_reportrun")
_REPORTS = ("reporting.run_report",)
_WORK_BREAKS = ("reconciliation.assign_break", "reconciliation.explain_break", "reconciliation.start_run")
_EXPORT = ("organisation.export_rows",)
_FEEDS = ("integrations.view_connection",)


@dataclass(frozen=True, slots=True)
class Role:
    code: str
    title: str
    permissions: tuple[str, ...]


ROLES: tuple[Role, ...] = (
    Role(
        "DLR",
        "Dealing and risk",
        (
            *_FLOOR,
            *_BOOKS,
            *_WORK_BREAKS,
            *_EXPORT,
            *_REPORTS,
            *_FEEDS,
            "integrations.pull_connection",
            "integrations.change_symbolmapping",
        ),
    ),
    Role(
        "FMK",
        "Finance maker",
        (
            *_FLOOR,
            *_BOOKS,
            *_WORK_BREAKS,
            *_EXPORT,
            *_REPORTS,
            *_FEEDS,
            "integrations.import_file",
            "integrations.ask_accept_held",
            "reconciliation.ask_write_off",
            "ledger.ask_manual_journal",
            "ledger.ask_reopen",
        ),
    ),
    Role(
        "FAP",
        "Finance approver",
        (
            *_FLOOR,
            *_BOOKS,
            *_EXPORT,
            *_REPORTS,
            *_FEEDS,
            "integrations.approve_accept_held",
            "reconciliation.approve_write_off",
            "ledger.approve_manual_journal",
            "ledger.close_day",
        ),
    ),
    Role(
        "PAY",
        "Payments",
        (*_FLOOR, *_WORK_BREAKS, *_EXPORT, *_REPORTS, *_FEEDS, "integrations.import_file"),
    ),
    Role("CMP", "Compliance", (*_FLOOR, *_BOOKS, *_EXPORT, *_REPORTS, *_FEEDS)),
    Role("SUP", "Support", (*_FLOOR, "reconciliation.assign_break", "reconciliation.explain_break")),
    Role("IBM", "IB manager", (*_TODAY, *_CLIENTS, "integrations.view_deal")),
    Role(
        "MGT",
        "Management",
        (*_FLOOR, *_BOOKS, *_EXPORT, *_REPORTS, *_FEEDS, "ledger.approve_reopen"),
    ),
    Role(
        "SYS",
        "System administration",
        (
            *_TODAY,
            *_FEEDS,
            "integrations.add_connection",
            "integrations.change_connection",
            "integrations.test_connection",
        ),
    ),
    Role("AUD", "Auditor", (*_FLOOR, *_BOOKS, *_EXPORT, *_REPORTS, *_FEEDS)),
)
