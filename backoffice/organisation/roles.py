"""The roles of a broker's staff and the matrix of what each may do; `manage load_roles` turns this into groups.

A row of the matrix is an object, a cell is what a role may do with it: V view, M make (ask for it), A approve what
somebody else asked for, A* approve above the high threshold, X execute after approval, D do directly (logged). Words
after a letter narrow it: "M suspend". Nobody approves or executes what they asked for, whatever this table says.
Permissions ("app.codename") hang on the letters, so a role holds what its cells say and nothing else. A row without
permissions is not in this version: it stands here because the forbidden pairs (pairs.py) are about it.
"""

from __future__ import annotations

from dataclasses import dataclass

from backoffice.organisation.duties import CODES, TITLES, Row
from backoffice.organisation.matrix_money import FILE, MONEY

_CLIENTS = ("accounts.view_client", "accounts.view_tradingaccount", "integrations.view_deal")
_FACTS = (
    "integrations.view_fill",
    "integrations.view_pspline",
    "integrations.view_bankline",
    "integrations.view_rawmessage",
    "integrations.view_fileimport",
    "integrations.view_rejection",
    "integrations.view_fileprofile",
    "integrations.view_symbolmapping",
    "accounts.view_unbooked",
)


_VULNERABLE = ("accounts.see_vulnerable", "accounts.see_vulnerable_detail")
_FLAGS_OF_COMPLIANCE = (
    *("accounts.set_pep", "accounts.see_pep", "accounts.approve_clear_by_compliance"),
    *("accounts.set_vulnerable", "accounts.end_vulnerable", "accounts.see_chargeback_risk"),
    *("accounts.end_document_expired", "accounts.set_deceased", "accounts.see_deceased"),
    *("accounts.set_staff", "accounts.see_staff"),
)

# The columns:                              DLR | FMK | FAP | PAY | CMP | SUP | IBM | MGT | SYS | AUD | MLRO
MATRIX: tuple[Row, ...] = (
    Row(
        "clients",
        "Client profile, accounts, trades",
        "V | V | V | V | V | V | V own tree, masked | V | – | V | –",
        dict.fromkeys(("V", "V own tree, masked"), _CLIENTS),
    ),
    Row("contact", "Edit client contact data", "– | – | – | – | A | M | – | – | – | V | –"),
    Row(
        "payee",
        "Edit payee or bank account",
        "– | – | – | – | A | M | – | – | – | V | –",
        {
            "M": ("payments.view_payee", "payments.propose_payee"),
            "A": ("payments.view_payee", "payments.approve_payee"),
            "V": ("payments.view_payee",),
        },
        about="money",
    ),
    Row(
        "kyc",
        "KYC result, risk level",
        "– | – | – | V | M/A | V | – | V | – | V | –",
        {
            "V": ("accounts.view_kycresult",),
            "M": ("accounts.view_kycresult", "accounts.record_kyc", "accounts.add_client_document"),
        },
        about="status",
    ),
    Row(
        "status",
        "Status: suspend, close, reactivate",
        "M suspend | – | – | – | M/A | M | – | A* | – | V | –",
        {
            "M suspend": ("accounts.review_client", "accounts.suspend_client"),
            "M": ("accounts.ask_protect", "accounts.ask_wake", "accounts.start_closing"),
            "A": ("accounts.decide_status",),
            "A*": ("accounts.approve_reopen_client",),
        },
        about="status",
    ),
    Row(
        "hold",
        "AML hold",
        "– | – | – | – | D set / A release | – | – | – | – | V | D consent",
        {
            "D set": ("accounts.see_aml_hold", "accounts.set_aml_hold", "accounts.set_review_flag"),
            "A release": ("accounts.end_review", "accounts.approve_end_review"),
            "D consent": ("accounts.see_aml_hold", "accounts.set_aml_hold", "accounts.release_aml_hold"),
        },
        about="status",
    ),
    Row("sar", "Suspicious activity report", "– | – | – | – | – | – | – | – | – | V by name | D"),
    Row(
        "toxic",
        "Flag: toxic flow",
        "M/D | – | – | – | V | – | – | V | – | V | –",
        {
            "M": ("accounts.set_flag", "accounts.end_flag", "accounts.see_toxic", "accounts.set_toxic"),
            "V": ("accounts.see_toxic",),
        },
        about="status",
    ),
    Row(
        "flags",
        "Flags: PEP, vulnerable, chargeback risk",
        "– | – | V | M chargeback | D | M vulnerable | – | V | – | V | –",
        {
            "M chargeback": (
                *("accounts.set_flag", "accounts.end_flag"),
                *("accounts.set_chargeback_risk", "accounts.see_chargeback_risk"),
            ),
            "M vulnerable": ("accounts.set_flag", "accounts.set_vulnerable", *_VULNERABLE),
            "D": ("accounts.set_flag", "accounts.end_flag", *_VULNERABLE, *_FLAGS_OF_COMPLIANCE),
        },
        about="status",
    ),
    Row(
        "trading",
        "Trading off, close-only",
        "D off / A on | – | – | – | D off / A on | M | – | – | – | V | –",
        {
            "D off": ("accounts.restrict_client", "accounts.confirm_restriction"),
            "A on": ("accounts.approve_lift_trading",),
            "M": ("accounts.ask_lift_trading",),
        },
        about="status",
    ),
    Row(
        "group",
        "Group and leverage of an account; technical mark",
        "M | – | – | – | A | M | – | – | – | V | –",
        {
            "M": ("accounts.ask_terms", "accounts.ask_technical"),
            "A": ("accounts.approve_terms", "accounts.approve_technical"),
        },
        about="status",
    ),
    # Password resets are support's (its duties), and security's.
    Row(
        "password",
        "Force a new password at the trade server",
        "– | – | – | – | D | D | – | – | – | V | –",
        {"D": ("accounts.force_password",)},
        about="status",
    ),
    Row("routing", "Book routing A/B", "M | – | – | – | – | – | – | A | – | V | –"),
    *MONEY,
    Row(
        "reports",
        "Reports: exposure, A/B profit and loss",
        "V | V | V | V | V | V | – | V | – | V | –",
        {"V": ("reporting.view_reportrun",)},
    ),
    Row("revenue", "Reports: NGR, net revenue", "– | V | V | – | – | – | V own tree | V | – | V | –"),
    Row("filings", "Regulatory files: generate, submit", "– | M | V | – | A | – | – | V | – | V | –"),
    Row(
        "users",
        "Users and roles",
        "– | – | – | – | V | – | – | A | M | V | –",
        {
            "V": ("access.view_matrix", "access.view_grant"),
            "M": ("access.view_matrix", "access.view_grant", "access.ask_grant", "access.administer"),
            "A": ("access.view_matrix", "access.view_grant", "access.approve_grant"),
        },
        of_house=True,
    ),
    Row(
        "policies",
        "Approval rules, thresholds",
        "– | – | V | – | A | – | – | A | M | V | –",
        {
            "V": (
                *("approvals.view_policy", "payments.view_paymentrule"),
                *("payments.view_fraudrule", "payments.view_ownbank"),
            ),
            "M": (
                *("approvals.view_policy", "approvals.ask_policy"),
                *("payments.view_paymentrule", "payments.ask_paymentrule"),
                *("payments.view_fraudrule", "payments.ask_fraudrule"),
                *("payments.view_ownbank", "payments.ask_ownbank"),
            ),
            "A": (
                *("approvals.view_policy", "approvals.approve_policy"),
                *("payments.view_paymentrule", "payments.approve_paymentrule"),
                *("payments.view_fraudrule", "payments.approve_fraudrule"),
                *("payments.view_ownbank", "payments.approve_ownbank"),
            ),
        },
        of_house=True,
    ),
    Row(
        "connections",
        "Integration settings, secrets",
        "– | – | – | – | – | – | – | A | M write-only | V without secrets | –",
        {
            "M write-only": (
                "integrations.view_connection",
                "integrations.add_connection",
                "integrations.change_connection",
                "integrations.test_connection",
                "integrations.view_webhook",
            ),
            "V without secrets": ("integrations.view_connection", "integrations.view_webhook"),
        },
    ),
    Row(
        "audit",
        "Audit log",
        "V own | V own | V own | V own | V | V own | V own | V | V technical | V / D verify chain | –",
        {
            "V own": ("audit.view_own_entry",),
            "V": ("audit.view_entry", "audit.view_own_entry", "audit.view_check", "audit.reveal_personal"),
            "V technical": ("audit.view_technical_entry", "audit.view_own_entry"),
            "D verify chain": ("audit.verify_log", "audit.view_change"),
        },
        of_house=True,
    ),
    Row(
        "impersonation",
        "See the product as another user",
        "– | – | – | – | – | – | – | – | D read-only | – | –",
        {"D read-only": ("signin.impersonate",)},
        of_house=True,
    ),
    # Pages of this product that cut across the rows above.
    Row(
        "orders",
        "Money orders to servers and PSPs: how far they are, try again",
        "– | V | V | V/X | V | V | – | V | – | V | –",
        {
            "V": ("integrations.view_serveroperation", "integrations.view_payoutorder"),
            "X": ("integrations.retry_serveroperation", "integrations.retry_payoutorder"),
        },
        about="money",
    ),
    Row(
        "webhooks",
        "Webhooks of providers, as they came",
        "– | – | – | V | – | – | – | – | – | – | –",
        {"V": ("integrations.view_webhook",)},
    ),
    Row("today", "Today", "V | V | V | V | V | V | V | V | V | V | V", {"V": ("reporting.view_today",)}),
    Row("facts", "Facts and raw messages as received", "V | V | V | V | V | V | – | V | – | V | –", {"V": _FACTS}),
    Row(
        "books",
        "Ledger and journals",
        "V | V | V | – | V | – | – | V | – | V | –",
        {"V": ("ledger.view_journal", "ledger.view_ledgeraccount", "organisation.view_fxrate")},
    ),
    Row(
        "breaks",
        "Breaks and runs",
        "V | V | V | V | V | V / D own | – | V | – | V | –",
        {
            "V": ("reconciliation.view_break", "reconciliation.view_run"),
            "D own": ("reconciliation.assign_break", "reconciliation.explain_break"),
        },
    ),
    Row(
        "requests",
        "Requests for approval",
        "V|V|V|V|V|V|–|V|V own|V|–",
        dict.fromkeys(("V", "V own"), ("approvals.view_request",)),
    ),
    Row(
        "files",
        "Files from banks and PSPs: import, accept one that does not prove itself",
        "– | D import / M accept | A accept | D import | – | – | – | – | – | – | –",
        {
            "D import": (
                *("integrations.import_file", "integrations.add_fileprofile"),
                *(FILE, "payments.import_statusreport"),
            ),
            "M accept": ("integrations.ask_accept_held",),
            "A accept": ("integrations.approve_accept_held",),
        },
    ),
    Row(
        "feeds",
        "Feeds and symbol mapping",
        "V / D fetch, map | V | V | V | V | – | – | V | – | V | –",
        {
            "V": ("integrations.view_connection",),
            "D fetch, map": ("integrations.pull_connection", "integrations.change_symbolmapping"),
        },
    ),
    Row(
        "break-glass",
        "Break-glass: a role for hours, for oneself",
        "M | M | M | M | M | M | – | M/A | M | V | –",
        {"M": ("access.ask_break_glass",), "A": ("access.approve_grant",)},
        of_house=True,
    ),
    Row(
        "exports",
        "Take a list or report away as a file",
        "D | D | D | D | D | – | – | D | – | D | –",
        {"D": ("organisation.export_rows", "reporting.run_report")},
    ),
)

# Permissions of features that are being built and have no letter above yet: add yours at the end of the role's tuple.
ALSO: dict[str, tuple[str, ...]] = {
    "DLR": (
        "accounts.write_note",
        "accounts.see_vulnerable",
        "integrations.view_servercommand",
        "integrations.retry_servercommand",
        "reconciliation.push_again",
    ),
    "FMK": (
        "accounts.write_note",
        "accounts.ask_close",
        "accounts.see_chargeback_risk",
        "accounts.see_payee_changed",
        "accounts.see_deceased",
    ),
    "FAP": (
        "accounts.write_note",
        "accounts.approve_close",
        "accounts.see_chargeback_risk",
        "accounts.see_payee_changed",
        "accounts.see_deceased",
        "accounts.approve_clear_by_finance",
    ),
    "PAY": ("accounts.write_note", "accounts.see_payee_changed"),
    "CMP": (
        "signin.view_session",
        "accounts.write_note",
        "accounts.see_confidential_note",
        "accounts.onboard_client",
        "accounts.review_client",
        "accounts.suspend_client",
        "accounts.ask_lift",
        "accounts.ask_lift_trading",
        "accounts.ask_reopen_client",
        "accounts.ask_category",
        "accounts.approve_category",
        "accounts.ask_erase",
        "accounts.approve_erase",
        "integrations.view_servercommand",
        "integrations.retry_servercommand",
        "reconciliation.push_again",
    ),
    "SUP": (
        "payments.submit_withdrawal",
        "accounts.write_note",
        "accounts.onboard_client",
        "accounts.add_client_document",
        "integrations.view_servercommand",
    ),
    "IBM": (),
    "MGT": (
        "signin.view_session",
        "signin.approve_rule",
        "accounts.see_pep",
        "accounts.approve_clear_by_management",
        "integrations.view_servercommand",
    ),
    "SYS": ("signin.view_session", "signin.send_link", "signin.end_sessions", "signin.ask_rule"),
    "AUD": (
        "signin.view_session",
        "accounts.see_pep",
        "accounts.see_staff",
        "integrations.view_servercommand",
    ),
    "MLRO": ("accounts.end_review", "accounts.approve_end_review", "accounts.see_confidential_note"),
}


@dataclass(frozen=True, slots=True)
class Role:
    """A role as `load_roles` makes it a group: its code, what people call it, its permissions."""

    code: str
    title: str
    permissions: tuple[str, ...]


def _role(code: str) -> Role:
    held = [permission for row in MATRIX for permission in row.permissions_of(code)]
    return Role(code, TITLES[code], tuple(dict.fromkeys([*held, *ALSO[code]])))


ROLES: tuple[Role, ...] = tuple(_role(code) for code in CODES)

# What only compliance knows: holds, reports of suspicion, confidential notes. To tell anybody else may be an offence.
OF_COMPLIANCE: frozenset[str] = frozenset(ALSO["MLRO"]).union(
    *(permissions for row in MATRIX if row.key in ("hold", "sar") for permissions in row.permissions.values())
)
