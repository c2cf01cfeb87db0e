"""Addresses of approvals."""

from __future__ import annotations

from django.urls import path

from backoffice.approvals.views import decisions, lists, request, rules

urlpatterns = [
    path("approvals/", lists.RequestList.as_view(), name="requests"),
    path("approvals/to-decide/", lists.ToDecide.as_view(), name="to-decide"),
    path("approvals/mine/", lists.MyRequests.as_view(), name="my-requests"),
    path("approvals/approve/", decisions.ApproveMany.as_view(), name="approve-requests"),
    path("approvals/<int:pk>/", request.RequestDetail.as_view(), name="request"),
    path("approvals/<int:pk>/files/<int:file>/", request.RequestFile.as_view(), name="request-file"),
    path("approvals/<int:pk>/approve/", decisions.Approve.as_view(), name="approve-request"),
    path("approvals/<int:pk>/execute/", decisions.Execute.as_view(), name="execute-request"),
    path("approvals/<int:pk>/reject/", decisions.Reject.as_view(), name="reject-request"),
    path("approvals/<int:pk>/return/", decisions.Return.as_view(), name="return-request"),
    path("approvals/<int:pk>/new-version/", decisions.Replace.as_view(), name="replace-request"),
    path("approvals/<int:pk>/attach/", decisions.Attach.as_view(), name="attach-request"),
    path("approvals/<int:pk>/withdraw/", decisions.Withdraw.as_view(), name="withdraw-request"),
    path("approvals/notices/", lists.NoticeList.as_view(), name="notices"),
    path("approvals/notices/read/", lists.ReadNotices.as_view(), name="read-notices"),
    path("approvals/notices/read-all/", lists.ReadAllNotices.as_view(), name="read-all-notices"),
    path("approvals/rules/", rules.PolicyList.as_view(), name="policies"),
    path("approvals/rules/new/", rules.ProposePolicy.as_view(), name="propose-policy"),
    path("approvals/rules/<int:pk>/", rules.PolicyDetail.as_view(), name="policy"),
    path("approvals/rules/<int:pk>/change/", rules.ChangePolicy.as_view(), name="change-policy"),
    path("approvals/rules/<int:pk>/end/", rules.EndPolicy.as_view(), name="end-policy"),
]
