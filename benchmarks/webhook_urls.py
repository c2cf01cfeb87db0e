"""The product's pages, and the reference of the webhook benchmark: a view that takes the same post and does nothing."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt


@csrf_exempt
@login_not_required
def empty(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"ok\n", "text/plain")


urlpatterns = [path("empty/", empty), path("", include("backoffice.urls"))]
