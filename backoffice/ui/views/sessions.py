"""Sign in and sign out, on Django's own views."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.forms import AuthenticationForm
from django.contrib.auth.views import LoginView, LogoutView
from django.http import HttpRequest


class SignInForm(AuthenticationForm):
    """Name and password; the refusal is the same for an unknown name and for a wrong password."""

    def __init__(self, request: HttpRequest | None = None, *args: Any, **kwargs: Any) -> None:
        super().__init__(request, *args, **kwargs)
        self.error_messages = {
            **self.error_messages,
            "invalid_login": "The name and the password do not fit together. Check both and try again.",
        }


class SignIn(LoginView):
    """The door. People who are already inside go on to where they wanted."""

    template_name = "sign_in.html"
    authentication_form = SignInForm
    redirect_authenticated_user = True


class SignOut(LogoutView):
    """By POST only, so that no link signs anybody out."""

    http_method_names = ("post", "options")
