"""Addresses of access."""

from __future__ import annotations

from django.urls import path

from backoffice.access import views

urlpatterns = [
    path("access/", views.Matrix.as_view(), name="matrix"),
    path("access/grants/", views.Grants.as_view(), name="grants"),
    path("access/grants/ask/", views.AskGrant.as_view(), name="ask-grant"),
    path("access/grants/<int:pk>/revoke/", views.AskRevoke.as_view(), name="ask-revoke"),
    path("access/break-glass/", views.AskBreakGlass.as_view(), name="ask-break-glass"),
    path("access/waivers/ask/", views.AskWaiver.as_view(), name="ask-waiver"),
    path("access/waivers/<int:pk>/end/", views.EndWaiver.as_view(), name="end-waiver"),
]
