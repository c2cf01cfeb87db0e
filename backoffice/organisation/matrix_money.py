"""The rows of the matrix that are about money, from the first deposit to the dispute with a partner."""

from __future__ import annotations

from backoffice.organisation.duties import Row

MATCHES = ("reconciliation.view_cashmatch", "reconciliation.view_suggestion")
WORK_BREAKS = ("reconciliation.assign_break", "reconciliation.explain_break", "reconciliation.start_run")
CLIENT_MONEY = ("reconciliation.view_clientmoneyrun",)
SEE_MONEY = ("payments.view_moneyrequest", "payments.view_payee")
REJECT = "payments.reject_withdrawal"
FILE = "payments.view_paymentfile"
CASE = "payments.view_chargebackcase"

MONEY: tuple[Row, ...] = (
    Row(
        "deposit",
        "Deposit confirmed by hand",
        "– | M | A | M | – | – | – | – | – | V | –",
        {
            "M": (*SEE_MONEY, "payments.ask_deposit"),
            "A": (*SEE_MONEY, "payments.approve_deposit"),
            "V": SEE_MONEY,
        },
        about="money",
    ),
    Row(
        "withdrawal",
        "Withdrawal: review and release",
        "– | M | A | V | A AML step | V | – | A* | – | V | –",
        {
            "M": (*SEE_MONEY, REJECT, "payments.submit_withdrawal", "payments.ask_withdrawal"),
            "A": (*SEE_MONEY, REJECT, "payments.approve_withdrawal"),
            "A AML step": (*SEE_MONEY, REJECT, "payments.approve_withdrawal_aml"),
            "A*": (*SEE_MONEY, REJECT, "payments.approve_withdrawal_large"),
            "V": SEE_MONEY,
        },
        about="money",
    ),
    Row(
        "payout",
        "Withdrawal: send to bank or PSP",
        "– | – | A batch | X | – | – | – | – | – | V | –",
        {
            "A batch": (*SEE_MONEY, FILE, "payments.approve_paymentfile"),
            "X": (*SEE_MONEY, FILE, REJECT, "payments.send_payout", "payments.ask_paymentfile"),
            "V": (*SEE_MONEY, FILE),
        },
        about="money",
    ),
    Row(
        "adjustment",
        "Manual balance adjustment, credit, bonus",
        "M trade correction | M | A | – | – | – | – | A* | – | V | –",
        {
            "M trade correction": ("payments.ask_adjustment",),
            "M": ("ledger.ask_manual_journal", "payments.ask_adjustment"),
            "A": ("ledger.approve_manual_journal", "payments.approve_adjustment"),
            "A*": ("payments.approve_adjustment_large",),
        },
        about="money",
    ),
    Row(
        "transfer",
        "Transfer between clients",
        "– | M | A | – | A | – | – | – | – | V | –",
        {"M": ("payments.ask_transfer", "payments.open_wallet"), "A": ("payments.approve_transfer",)},
        about="money",
    ),
    Row(
        "chargeback",
        "Chargeback case",
        "– | M posting | A posting | D case | V | V | V effect | V | – | V | –",
        {
            "M posting": (CASE, "payments.ask_chargeback"),
            "A posting": (CASE, "payments.approve_chargeback"),
            "D case": (CASE, "payments.work_chargeback"),
            "V": (CASE,),
        },
        about="money",
    ),
    # Who is suspected must not learn of it: nobody who talks to clients or partners sees these.
    Row(
        "fraud",
        "Fraud alerts: assign, explain, close",
        "– | – | V | D | D | – | – | V | – | V | –",
        {
            "D": ("payments.view_fraudalert", "payments.work_fraudalert"),
            "V": ("payments.view_fraudalert",),
        },
        about="money",
    ),
    Row(
        "trade-recon",
        "Trade reconciliation: match, explain, write off",
        "D match, explain / M write-off | V | A write-off | – | – | – | – | V | – | V | –",
        {
            "D match, explain": WORK_BREAKS,
            "M write-off": ("reconciliation.ask_write_off",),
            "A write-off": ("reconciliation.approve_write_off",),
        },
        about="money",
    ),
    Row(
        "cash-recon",
        "Cash reconciliation: match, explain, write off",
        "– | D match, explain / M write-off | A write-off | D match, explain | – | – | – | V | – | V | –",
        {
            "D match, explain": (*WORK_BREAKS, *MATCHES, "reconciliation.match_cash"),
            "M write-off": ("reconciliation.ask_write_off", "reconciliation.ask_rule"),
            "A write-off": (*MATCHES, "reconciliation.approve_write_off", "reconciliation.approve_rule"),
            "V": MATCHES,
        },
        about="money",
    ),
    Row(
        "client-money",
        "Client-money reconciliation: run, sign, top up",
        "– | M | A | X top-up | V | – | – | V sign-off | – | V | –",
        {
            "M": (
                *CLIENT_MONEY,
                "reconciliation.run_client_money",
                "reconciliation.ask_top_up",
                "reconciliation.ask_clientmoneyrule",
            ),
            "A": (
                *CLIENT_MONEY,
                "reconciliation.sign_client_money",
                "reconciliation.approve_top_up",
                "reconciliation.approve_clientmoneyrule",
            ),
            "X top-up": (*CLIENT_MONEY, "reconciliation.execute_top_up"),
            "V": CLIENT_MONEY,
            "V sign-off": (*CLIENT_MONEY, "reconciliation.sign_client_money"),
        },
        about="money",
    ),
    Row(
        "close",
        "Close and reopen a period",
        "– | M | A | – | – | – | – | A* reopen | – | V | –",
        {
            "M": ("ledger.ask_reopen", "ledger.ask_period"),
            "A": ("ledger.close_day", "ledger.approve_period"),
            "A* reopen": ("ledger.approve_reopen",),
        },
        about="money",
    ),
    Row(
        "rates",
        "Reference rates entered by hand",
        "– | M | A | – | – | – | – | V | – | V | –",
        {"M": ("ledger.ask_manualrate",), "A": ("ledger.approve_manualrate",)},
        about="money",
    ),
    Row("plans", "Commission plan, partner tree move", "– | V | A | – | V | – | M | A* | – | V | –", about="money"),
    Row("clawback", "Commission adjustment, clawback", "– | M | A | – | – | – | M | – | – | V | –", about="money"),
    Row(
        "partner-payout", "Partner payout batch", "– | M | A | X | A new payee | – | M | A* | – | V | –", about="money"
    ),
    Row("dispute", "Partner dispute", "– | V | A money | – | – | – | D | V | – | V | –", about="money"),
)
