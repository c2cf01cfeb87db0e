"""Addresses of reconciliation."""

from __future__ import annotations

from django.urls import path

from reconciliation import views

urlpatterns = [
    path("breaks/", views.BreakList.as_view(), name="breaks"),
    path("breaks/assign/", views.AssignBreaks.as_view(), name="assign-breaks"),
    path("breaks/<int:pk>/", views.BreakDetail.as_view(), name="break"),
    path("breaks/<int:pk>/assign/", views.AssignBreak.as_view(), name="assign-break"),
    path("breaks/<int:pk>/explain/", views.ExplainBreak.as_view(), name="explain-break"),
    path("breaks/<int:pk>/fetch/", views.FetchBreak.as_view(), name="fetch-break"),
    path("breaks/<int:pk>/push-again/", views.PushAgain.as_view(), name="push-again"),
    path("breaks/<int:pk>/resolve/", views.ResolveBreak.as_view(), name="resolve-break"),
    path("breaks/<int:pk>/write-off/", views.AskWriteOff.as_view(), name="write-off"),
    path("runs/", views.RunList.as_view(), name="runs"),
    path("runs/start/", views.StartRun.as_view(), name="start-run"),
    path("runs/<int:pk>/", views.RunDetail.as_view(), name="run"),
    path("runs/<int:pk>/progress/", views.RunProgress.as_view(), name="run-progress"),
]
