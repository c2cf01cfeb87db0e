"""Addresses of the outside world."""

from __future__ import annotations

from django.urls import path

from integrations.views import commands, connections, imports, orders, profiles, webhooks

urlpatterns = [
    path("hooks/<str:token>/", webhooks.receive, name="receive-webhook"),
    path("connections/", connections.ConnectionList.as_view(), name="connections"),
    path("connections/add/", connections.AddConnection.as_view(), name="add-connection"),
    path("connections/<int:pk>/", connections.ConnectionDetail.as_view(), name="connection"),
    path("connections/<int:pk>/change/", connections.ChangeConnection.as_view(), name="change-connection"),
    path("connections/<int:pk>/test/", connections.TestConnection.as_view(), name="test-connection"),
    path("connections/<int:pk>/pull/", connections.PullConnection.as_view(), name="pull-connection"),
    path("connections/<int:pk>/logins/", commands.PullLogins.as_view(), name="pull-logins"),
    path("server-commands/", commands.CommandList.as_view(), name="server-commands"),
    path("server-commands/retry/", commands.RetryCommands.as_view(), name="retry-commands"),
    path("server-operations/", orders.OperationList.as_view(), name="server-operations"),
    path("server-operations/<int:pk>/", orders.OperationDetail.as_view(), name="server-operation"),
    path("server-operations/<int:pk>/retry/", orders.RetryOperation.as_view(), name="retry-operation"),
    path("psp-payouts/", orders.PayoutList.as_view(), name="psp-payouts"),
    path("psp-payouts/<int:pk>/", orders.PayoutDetail.as_view(), name="psp-payout"),
    path("psp-payouts/<int:pk>/retry/", orders.RetryPayout.as_view(), name="retry-payout"),
    path("symbols/", connections.SymbolList.as_view(), name="symbols"),
    path("symbols/map/", connections.MapSymbol.as_view(), name="map-symbol"),
    path("imports/", imports.ImportList.as_view(), name="imports"),
    path("imports/profiles/", profiles.ProfileList.as_view(), name="file-profiles"),
    path("imports/profiles/add/", profiles.AddProfile.as_view(), name="add-file-profile"),
    path("imports/profiles/<int:pk>/", profiles.ProfileDetail.as_view(), name="file-profile"),
    path("imports/upload/", imports.Upload.as_view(), name="upload"),
    path("imports/<int:pk>/", imports.ImportDetail.as_view(), name="import"),
    path("imports/<int:pk>/progress/", imports.ImportProgress.as_view(), name="import-progress"),
    path("imports/<int:pk>/confirm/", imports.ConfirmImport.as_view(), name="confirm-import"),
    path("imports/<int:pk>/discard/", imports.DiscardImport.as_view(), name="discard-import"),
    path("imports/<int:pk>/accept/", imports.AskAcceptHeld.as_view(), name="accept-held"),
    path("imports/<int:pk>/rejected/", imports.RejectionList.as_view(), name="rejections"),
    path("webhooks/", webhooks.WebhookList.as_view(), name="webhooks"),
    path("webhooks/<int:pk>/", webhooks.WebhookDetail.as_view(), name="webhook"),
    path("connections/<int:pk>/webhooks/", webhooks.SetUpWebhooks.as_view(), name="set-up-webhooks"),
    path("raw/<int:pk>/", connections.RawMessageDetail.as_view(), name="raw-message"),
]
