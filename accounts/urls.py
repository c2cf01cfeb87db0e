"""Addresses of clients, accounts and facts."""

from __future__ import annotations

from django.urls import path

from accounts.views import clients, facts, flags, logins, steps

urlpatterns = [
    path("clients/", clients.ClientList.as_view(), name="clients"),
    path("clients/<int:pk>/", clients.ClientDetail.as_view(), name="client"),
    path("clients/<int:pk>/application/", steps.Application.as_view(), name="client-application"),
    path("clients/<int:pk>/decide/", steps.DecideApplication.as_view(), name="decide-application"),
    path("clients/<int:pk>/review/", steps.ReviewClient.as_view(), name="review-client"),
    path("clients/<int:pk>/suspend/", steps.SuspendClient.as_view(), name="suspend-client"),
    path("clients/<int:pk>/restrict/", steps.RestrictClient.as_view(), name="restrict-client"),
    path("clients/<int:pk>/ask-protect/", steps.AskProtect.as_view(), name="ask-protect"),
    path("clients/<int:pk>/reactivate/", steps.ReactivateClient.as_view(), name="reactivate-client"),
    path("clients/<int:pk>/wake/", steps.WakeClient.as_view(), name="wake-client"),
    path("clients/<int:pk>/start-closing/", steps.StartClosing.as_view(), name="start-closing"),
    path("clients/<int:pk>/close/", steps.CloseClient.as_view(), name="close-client"),
    path("clients/<int:pk>/reopen/", steps.ReopenClient.as_view(), name="reopen-client"),
    path("clients/<int:pk>/erase/", steps.EraseClient.as_view(), name="erase-client"),
    path("clients/<int:pk>/category/", steps.ChangeCategory.as_view(), name="change-category"),
    path("clients/<int:pk>/notes/add/", steps.AddNote.as_view(), name="add-note"),
    path("clients/<int:pk>/documents/add/", steps.AddDocument.as_view(), name="add-document"),
    path("clients/<int:pk>/checks/add/", steps.RecordKyc.as_view(), name="record-kyc"),
    path("clients/<int:pk>/flags/add/", flags.SetFlag.as_view(), name="set-flag"),
    path("flags/<int:pk>/end/", flags.EndFlag.as_view(), name="end-flag"),
    path("holds/", flags.HoldList.as_view(), name="holds"),
    path("holds/<int:pk>/consent/", flags.NoteConsent.as_view(), name="note-consent"),
    path("reviews-due/", steps.ReviewsDue.as_view(), name="reviews-due"),
    path("restrictions/<int:pk>/lift/", steps.LiftRestriction.as_view(), name="lift-restriction"),
    path("restrictions/<int:pk>/lift-trading/", steps.LiftTrading.as_view(), name="lift-trading"),
    path("restrictions/<int:pk>/review/", steps.ConfirmRestriction.as_view(), name="confirm-restriction"),
    path("trading-accounts/", logins.TradingAccountList.as_view(), name="trading-accounts"),
    path("trading-accounts/<int:pk>/", logins.TradingAccountDetail.as_view(), name="trading-account"),
    path("trading-accounts/<int:pk>/terms/", logins.ChangeTerms.as_view(), name="change-terms"),
    path("trading-accounts/<int:pk>/technical/", logins.MarkTechnical.as_view(), name="mark-technical"),
    path("trading-accounts/<int:pk>/password/", logins.ForcePassword.as_view(), name="force-password"),
    path("deals/", facts.DealList.as_view(), name="deals"),
    path("deals/<int:pk>/", facts.DealDetail.as_view(), name="deal"),
    path("fills/", facts.FillList.as_view(), name="fills"),
    path("fills/<int:pk>/", facts.FillDetail.as_view(), name="fill"),
    path("psp-lines/", facts.PspLineList.as_view(), name="psp-lines"),
    path("psp-lines/<int:pk>/", facts.PspLineDetail.as_view(), name="psp-line"),
    path("bank-lines/", facts.BankLineList.as_view(), name="bank-lines"),
    path("bank-notices/", facts.BankNoticeList.as_view(), name="bank-notices"),
    path("bank-lines/<int:pk>/", facts.BankLineDetail.as_view(), name="bank-line"),
    path("unbooked/", facts.UnbookedList.as_view(), name="unbooked"),
]
