"""Addresses of the audit log."""

from __future__ import annotations

from django.urls import path

from backoffice.audit import views

urlpatterns = [
    path("audit/", views.EntryList.as_view(), name="audit-log"),
    path("audit/mine/", views.MyEntries.as_view(), name="audit-mine"),
    path("audit/technical/", views.TechnicalEntries.as_view(), name="audit-technical"),
    path("audit/<int:pk>/", views.EntryDetail.as_view(), name="audit-entry"),
    path("audit/of/<str:target>/", views.ObjectHistory.as_view(), name="audit-object"),
    path("audit/people/<int:pk>/", views.PersonHistory.as_view(), name="audit-person"),
    path("audit/changes/", views.ChangeList.as_view(), name="audit-changes"),
    path("audit/verification/", views.CheckList.as_view(), name="audit-checks"),
    path("audit/verification/start/", views.Verify.as_view(), name="audit-verify"),
    path("audit/verification/<int:pk>/", views.CheckDetail.as_view(), name="audit-check"),
    path("audit/verification/<int:pk>/progress/", views.CheckProgress.as_view(), name="audit-check-progress"),
]
