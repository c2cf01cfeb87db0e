"""Addresses of the books."""

from __future__ import annotations

from django.urls import path

from ledger import views

urlpatterns = [
    path("journals/", views.JournalList.as_view(), name="journals"),
    path("journals/manual/", views.AskManualJournal.as_view(), name="manual-journal"),
    path("journals/<int:pk>/", views.JournalDetail.as_view(), name="journal"),
    path("ledger-accounts/", views.LedgerAccountList.as_view(), name="ledger-accounts"),
    path("ledger-accounts/trial-balance/", views.TrialBalance.as_view(), name="trial-balance"),
    path("ledger-accounts/close-day/", views.CloseDay.as_view(), name="close-day"),
    path("ledger-accounts/reopen/", views.AskReopen.as_view(), name="reopen"),
    path("close/", views.Close.as_view(), name="close"),
    path("close/month/", views.AskPeriod.as_view(), name="close-period"),
    path("rates/", views.RateList.as_view(), name="fx-rates"),
    path("rates/enter/", views.EnterRate.as_view(), name="enter-rate"),
    path("ledger-accounts/<int:pk>/", views.LedgerAccountDetail.as_view(), name="ledger-account"),
]
