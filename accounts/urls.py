"""Addresses of clients, accounts and facts."""

from __future__ import annotations

from django.urls import path

from accounts import views

urlpatterns = [
    path("clients/", views.ClientList.as_view(), name="clients"),
    path("clients/<int:pk>/", views.ClientDetail.as_view(), name="client"),
    path("trading-accounts/", views.TradingAccountList.as_view(), name="trading-accounts"),
    path("trading-accounts/<int:pk>/", views.TradingAccountDetail.as_view(), name="trading-account"),
    path("deals/", views.DealList.as_view(), name="deals"),
    path("deals/<int:pk>/", views.DealDetail.as_view(), name="deal"),
    path("fills/", views.FillList.as_view(), name="fills"),
    path("fills/<int:pk>/", views.FillDetail.as_view(), name="fill"),
    path("psp-lines/", views.PspLineList.as_view(), name="psp-lines"),
    path("psp-lines/<int:pk>/", views.PspLineDetail.as_view(), name="psp-line"),
    path("bank-lines/", views.BankLineList.as_view(), name="bank-lines"),
    path("bank-lines/<int:pk>/", views.BankLineDetail.as_view(), name="bank-line"),
    path("unbooked/", views.UnbookedList.as_view(), name="unbooked"),
]
