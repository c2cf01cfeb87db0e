"""Pages of reporting: Today, the daily report, and the reports that were made."""

from reporting.views.reports import DailyReport, MakeReport, ReportRunDetail, ReportRunList, ReportRunProgress
from reporting.views.today import Today, TodayParts

__all__ = [
    "DailyReport",
    "MakeReport",
    "ReportRunDetail",
    "ReportRunList",
    "ReportRunProgress",
    "Today",
    "TodayParts",
]
