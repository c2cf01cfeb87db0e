"""Pages are descriptions: subclass one of these and say queryset, table, filter, permission, or form and `run`."""

from backoffice.ui.components import Crumb
from backoffice.ui.views.actions import ActionPage, AskingPage, GatedPage
from backoffice.ui.views.base import Button, Page, SeeOther
from backoffice.ui.views.details import DetailPage, Tab
from backoffice.ui.views.lists import ListPage

__all__ = [
    "ActionPage",
    "AskingPage",
    "Button",
    "Crumb",
    "DetailPage",
    "GatedPage",
    "ListPage",
    "Page",
    "SeeOther",
    "Tab",
]
