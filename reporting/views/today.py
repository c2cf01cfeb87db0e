"""Today: the first page. Its parts refresh by themselves, and only those that have changed."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

from backoffice.ui.views import Page
from reporting.views import parts


class Today(Page):
    """Belongs to no entity itself: every part shows rows of the entities the person works in."""

    title = "Today"
    permission = "reporting.view_today"
    entity_path = ""
    template = "reporting/today.html"

    def get(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        desk = parts.Desk(self.user)
        top, left, right = (parts.draw(desk, column) for column in (parts.TOP, parts.LEFT, parts.RIGHT))
        return self.page({"top": top, "left": left, "right": right, "seen": parts.seen([*top, *left, *right])})


class TodayParts(Page):
    """What has changed since the page was drawn: nothing, some parts, or (other rights) the page itself."""

    title = "Today"
    permission = "reporting.view_today"
    entity_path = ""
    template = "reporting/today_parts.html"
    nav = "today"
    background = True

    def get(self, request: HttpRequest, *args: object, **kwargs: object) -> HttpResponseBase:
        desk = parts.Desk(self.user)
        drawn = [part for column in (parts.TOP, parts.LEFT, parts.RIGHT) for part in parts.draw(desk, column)]
        known = dict(pair.split(":", 1) for pair in request.GET.get("seen", "").split(",") if ":" in pair)
        changed = [part for part in drawn if known.get(part.key) != part.digest]
        if known and known.keys() != {part.key for part in drawn}:
            return HttpResponse(headers={"HX-Refresh": "true"})
        if not changed:
            return HttpResponse(status=204)
        return render(request, self.template, {"parts": changed, "seen": parts.seen(drawn)})
