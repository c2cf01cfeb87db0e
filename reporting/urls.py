"""Addresses of the first page and of reports."""

from __future__ import annotations

from django.urls import path

from reporting import views

urlpatterns = [
    path("", views.Today.as_view(), name="today"),
    path("today/parts/", views.TodayParts.as_view(), name="today-parts"),
    path("reports/daily/", views.DailyReport.as_view(), name="daily-report"),
    path("reports/make/", views.MakeReport.as_view(), name="make-report"),
    path("client-money/<int:pk>/report/", views.ClientMoneyReport.as_view(), name="client-money-report"),
    path("settlements/<int:pk>/report/", views.SettlementReport.as_view(), name="settlement-report"),
    path("chargebacks/<int:pk>/evidence/", views.EvidencePack.as_view(), name="evidence-pack"),
    path("reports/runs/", views.ReportRunList.as_view(), name="report-runs"),
    path("reports/runs/<int:pk>/", views.ReportRunDetail.as_view(), name="report-run"),
    path("reports/runs/<int:pk>/progress/", views.ReportRunProgress.as_view(), name="report-run-progress"),
]
