"""Addresses of reconciliation."""

from __future__ import annotations

from django.urls import path

from reconciliation.views import breaks as views
from reconciliation.views import by_hand, cash, client_money

urlpatterns = [
    path("breaks/", views.BreakList.as_view(), name="breaks"),
    path("breaks/assign/", views.AssignBreaks.as_view(), name="assign-breaks"),
    path("breaks/<int:pk>/", views.BreakDetail.as_view(), name="break"),
    path("breaks/<int:pk>/assign/", views.AssignBreak.as_view(), name="assign-break"),
    path("breaks/<int:pk>/explain/", views.ExplainBreak.as_view(), name="explain-break"),
    path("breaks/<int:pk>/fetch/", views.FetchBreak.as_view(), name="fetch-break"),
    path("breaks/<int:pk>/push-again/", views.PushAgain.as_view(), name="push-again"),
    path("breaks/<int:pk>/match/", by_hand.MatchByHand.as_view(), name="match-by-hand"),
    path("breaks/<int:pk>/resolve/", views.ResolveBreak.as_view(), name="resolve-break"),
    path("breaks/<int:pk>/write-off/", views.AskWriteOff.as_view(), name="write-off"),
    path("client-money/", client_money.ClientMoneyList.as_view(), name="client-money"),
    path("client-money/calculate/", client_money.Calculate.as_view(), name="calculate-client-money"),
    path("client-money/accounts/new/", client_money.AskSegregated.as_view(), name="segregate-account"),
    path("client-money/rule/", client_money.AskClientMoneyRule.as_view(), name="client-money-rule"),
    path("client-money/<int:pk>/", client_money.ClientMoneyDetail.as_view(), name="client-money-run"),
    path("client-money/<int:pk>/sign/", client_money.Sign.as_view(), name="sign-client-money"),
    path("client-money/<int:pk>/top-up/", client_money.AskTopUp.as_view(), name="top-up-client-money"),
    path("client-money/clients/<int:pk>/", client_money.ClientMoneyOfClient.as_view(), name="client-money-client"),
    path("matches/", cash.MatchList.as_view(), name="matches"),
    path("matches/<int:pk>/", cash.MatchDetail.as_view(), name="match"),
    path("matches/<int:pk>/undo/", cash.UndoMatch.as_view(), name="undo-match"),
    path("settlements/", cash.SettlementList.as_view(), name="settlements"),
    path("settlements/<int:pk>/", cash.SettlementDetail.as_view(), name="settlement"),
    path("suggestions/", cash.SuggestionList.as_view(), name="suggestions"),
    path("suggestions/<int:pk>/accept/", cash.AcceptSuggestion.as_view(), name="accept-suggestion"),
    path("suggestions/<int:pk>/dismiss/", cash.DismissSuggestion.as_view(), name="dismiss-suggestion"),
    path("reconciliation-rules/", cash.RuleList.as_view(), name="reconciliation-rules"),
    path("reconciliation-rules/<int:pk>/", cash.ChangeRule.as_view(), name="change-reconciliation-rule"),
    path("runs/", views.RunList.as_view(), name="runs"),
    path("runs/start/", views.StartRun.as_view(), name="start-run"),
    path("runs/<int:pk>/", views.RunDetail.as_view(), name="run"),
    path("runs/<int:pk>/progress/", views.RunProgress.as_view(), name="run-progress"),
]
