"""The product's pages, and the two references of the list benchmark beside them."""

from __future__ import annotations

import django_tables2
from django.http import HttpRequest, HttpResponse
from django.urls import include, path

from integrations.models import Deal


class DealTable(django_tables2.Table):  # type: ignore[misc]
    """The columns of the page of deals."""

    class Meta:
        model = Deal
        fields = (
            *("ticket", "dealt_at", "connection.name", "login", "kind", "side", "symbol", "volume_lots", "price"),
            *("profit", "swap", "commission", "gateway", "comment", "version"),
        )
        order_by = "-dealt_at"


def empty(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def tables2(request: HttpRequest) -> HttpResponse:
    table = DealTable(Deal.objects.select_related("connection"))
    django_tables2.RequestConfig(request, paginate={"per_page": 50}).configure(table)
    return HttpResponse(table.as_html(request))


urlpatterns = [path("empty/", empty), path("tables2/", tables2), path("", include("backoffice.urls"))]
