"""The door, one's own sign-in, and the pages about other people's."""

from __future__ import annotations

from django.urls import path

from backoffice.signin.views import door, looking, own, people

urlpatterns = [
    path("sign-in/", door.SignIn.as_view(), name="sign-in"),
    path("sign-out/", door.SignOut.as_view(), name="sign-out"),
    path("second-factor/", door.SecondFactor.as_view(), name="second-factor"),
    path("second-factor/recover/", door.Recover.as_view(), name="recover"),
    path("second-factor/enrol/", own.Enrol.as_view(), name="enrol"),
    path("second-factor/enrol/scan/", own.EnrolScan.as_view(), name="enrol-scan"),
    path("second-factor/confirm/", door.StepUp.as_view(), name="step-up"),
    path("second-factor/codes/", own.NewCodes.as_view(), name="recovery-codes"),
    path("set-password/<str:token>/", door.SetPassword.as_view(), name="set-password"),
    path("my/sign-in/", own.MySignIn.as_view(), name="my-sign-in"),
    path("my/sign-in/<int:pk>/end/", own.EndSession.as_view(), name="end-session"),
    path("my/sign-in/end-others/", own.EndOthers.as_view(), name="end-other-sessions"),
    path("my/password/", own.ChangePassword.as_view(), name="change-password"),
    path("people/sign-in/", people.People.as_view(), name="people-sign-in"),
    path("people/sign-in/<int:pk>/", people.PersonDetail.as_view(), name="person-sign-in"),
    path("people/sign-in/<int:pk>/link/", people.SendLink.as_view(), name="send-link"),
    path("people/sign-in/<int:pk>/end-sessions/", people.EndSessions.as_view(), name="end-sessions"),
    path("people/sign-in/<int:pk>/remove-factor/", people.RemoveFactor.as_view(), name="remove-factor"),
    path("people/sign-in/<int:pk>/look/", looking.Impersonate.as_view(), name="impersonate"),
    path("looking/end/", looking.EndImpersonation.as_view(), name="end-impersonation"),
    path("people/networks/", people.Networks.as_view(), name="networks"),
    path("people/networks/allow/", people.AllowNetwork.as_view(), name="allow-network"),
    path("people/networks/<int:pk>/remove/", people.RemoveNetwork.as_view(), name="remove-network"),
    path("people/second-factor/", people.FactorRules.as_view(), name="factor-rules"),
    path("people/second-factor/change/", people.ChangeFactorRule.as_view(), name="change-factor-rule"),
]
