"""What decisions ask for. `seen` is the hash of what was on the screen."""

from __future__ import annotations

from django import forms


class DecisionForm(forms.Form):
    seen = forms.CharField(widget=forms.HiddenInput)
    reason = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}), label="Note")


class RejectForm(forms.Form):
    seen = forms.CharField(widget=forms.HiddenInput)
    reason = forms.CharField(widget=forms.Textarea(attrs={"rows": 3}), help_text="The person who asked sees it.")


class WithdrawForm(forms.Form):
    reason = forms.CharField(required=False, widget=forms.Textarea(attrs={"rows": 2}), label="Note")
