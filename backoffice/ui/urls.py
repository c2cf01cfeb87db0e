"""Sign in and out: the only addresses of this room."""

from __future__ import annotations

from django.urls import path

from backoffice.ui.views.sessions import SignIn, SignOut

urlpatterns = [
    path("sign-in/", SignIn.as_view(), name="sign-in"),
    path("sign-out/", SignOut.as_view(), name="sign-out"),
]
