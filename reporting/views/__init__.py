"""Pages of reporting: Today, the daily report, and the reports that were made."""

from reporting.views.client_money import ClientMoneyReport
from reporting.views.evidence_pack import EvidencePack
from reporting.views.reports import DailyReport, MakeReport, ReportRunDetail, ReportRunList, ReportRunProgress
from reporting.views.settlement import SettlementReport
from reporting.views.today import Today, TodayParts

__all__ = [
    "ClientMoneyReport",
    "DailyReport",
    "EvidencePack",
    "MakeReport",
    "ReportRunDetail",
    "ReportRunList",
    "ReportRunProgress",
    "SettlementReport",
    "Today",
    "TodayParts",
]
