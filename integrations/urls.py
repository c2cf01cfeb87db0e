"""Addresses of the outside world."""

from __future__ import annotations

from django.urls import path

from integrations.views import commands, connections, imports

urlpatterns = [
    path("connections/", connections.ConnectionList.as_view(), name="connections"),
    path("connections/add/", connections.AddConnection.as_view(), name="add-connection"),
    path("connections/<int:pk>/", connections.ConnectionDetail.as_view(), name="connection"),
    path("connections/<int:pk>/change/", connections.ChangeConnection.as_view(), name="change-connection"),
    path("connections/<int:pk>/test/", connections.TestConnection.as_view(), name="test-connection"),
    path("connections/<int:pk>/pull/", connections.PullConnection.as_view(), name="pull-connection"),
    path("connections/<int:pk>/logins/", commands.PullLogins.as_view(), name="pull-logins"),
    path("server-commands/", commands.CommandList.as_view(), name="server-commands"),
    path("server-commands/retry/", commands.RetryCommands.as_view(), name="retry-commands"),
    path("symbols/", connections.SymbolList.as_view(), name="symbols"),
    path("symbols/map/", connections.MapSymbol.as_view(), name="map-symbol"),
    path("imports/", imports.ImportList.as_view(), name="imports"),
    path("imports/upload/", imports.Upload.as_view(), name="upload"),
    path("imports/<int:pk>/", imports.ImportDetail.as_view(), name="import"),
    path("imports/<int:pk>/progress/", imports.ImportProgress.as_view(), name="import-progress"),
    path("imports/<int:pk>/confirm/", imports.ConfirmImport.as_view(), name="confirm-import"),
    path("imports/<int:pk>/discard/", imports.DiscardImport.as_view(), name="discard-import"),
    path("imports/<int:pk>/accept/", imports.AskAcceptHeld.as_view(), name="accept-held"),
    path("imports/<int:pk>/rejected/", imports.RejectionList.as_view(), name="rejections"),
    path("raw/<int:pk>/", connections.RawMessageDetail.as_view(), name="raw-message"),
]
