"""Addresses of approvals."""

from __future__ import annotations

from django.urls import path

from backoffice.approvals import views

urlpatterns = [
    path("approvals/", views.RequestList.as_view(), name="requests"),
    path("approvals/<int:pk>/", views.RequestDetail.as_view(), name="request"),
    path("approvals/<int:pk>/approve/", views.Approve.as_view(), name="approve-request"),
    path("approvals/<int:pk>/execute/", views.Execute.as_view(), name="execute-request"),
    path("approvals/<int:pk>/reject/", views.Reject.as_view(), name="reject-request"),
    path("approvals/<int:pk>/withdraw/", views.Withdraw.as_view(), name="withdraw-request"),
]
