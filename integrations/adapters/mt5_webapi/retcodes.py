"""Return codes of the MT5 API that this adapter acts on or explains (names of the vendor's MTAPIRES constants)."""

from __future__ import annotations

DONE = 0
DONE_NO_DATA = 1
WRONG_PARAMETERS = 3
WRONG_DATA = 4
NETWORK = 7
NO_PERMISSION = 8
TIMED_OUT = 9
NO_CONNECTION = 10
NO_SERVICE = 11
TOO_FREQUENT = 12
NOT_FOUND = 13
PARTIAL = 14
SHUTTING_DOWN = 15
DUPLICATE = 17
INVALID_ACCOUNT = 1001
ACCOUNT_DISABLED = 1002
FALSE_SERVER = 1008
NO_MANAGER_CONFIG = 1011
ADDRESS_BLOCKED = 1012
SERVER_BUSY = 1018
WRONG_CONNECTION_TYPE = 1024
MUST_CHANGE_PASSWORD = 1026
NEEDS_ONE_TIME_PASSWORD = 1027
WRONG_ONE_TIME_PASSWORD = 1028
API_DISABLED = 1034
OTHER_CURRENCY = 3010
MONEY_LIMIT = 4005
DEAL_EXISTS = 4006
REQUEST_DONE = 10009
NO_MONEY = 10019
NOT_MAIN_SERVER = 12001
LOCKED = 12004

# Asking again later may help; for every other code it will not.
RETRY = frozenset(
    {NETWORK, TIMED_OUT, NO_CONNECTION, NO_SERVICE, TOO_FREQUENT, SHUTTING_DOWN, SERVER_BUSY, LOCKED},
)

# Codes after which a change may or may not have been made: the access server lost sight of the trade server.
OUTCOME_OPEN = frozenset({NETWORK, TIMED_OUT, NO_CONNECTION})

# Codes after which a balance operation may have been booked: by this order, or by one before it.
PERHAPS_BOOKED = frozenset({DUPLICATE, DEAL_EXISTS})

# The server answered, and there is nothing to hand over.
NOTHING = frozenset({DONE_NO_DATA, NOT_FOUND})

_ADVICE = {
    NO_PERMISSION: "the manager account lacks a right; have it granted in MT5 Administrator",
    INVALID_ACCOUNT: "the manager login or password is wrong",
    ACCOUNT_DISABLED: "the manager account is disabled",
    NO_MANAGER_CONFIG: "the login has no manager record on the server",
    ADDRESS_BLOCKED: "this machine's address is not on the manager's list of allowed addresses",
    WRONG_CONNECTION_TYPE: "the manager account is not allowed to connect as Web API",
    MUST_CHANGE_PASSWORD: "the manager's password must be changed in MT5 first",
    NEEDS_ONE_TIME_PASSWORD: "the manager account asks for a one-time password, which the Web API cannot give",
    WRONG_ONE_TIME_PASSWORD: "the manager account asks for a one-time password, which the Web API cannot give",
    API_DISABLED: "the API is disabled for this manager account",
    WRONG_PARAMETERS: "the server does not take this login, kind of operation or amount",
    MONEY_LIMIT: "it is more than the server books in one operation; split it",
    NO_MONEY: "the account has less balance, credit or free margin than is to be taken off it",
    NOT_MAIN_SERVER: "the address is not the main trade server's",
}


def advice(retcode: int) -> str:
    """What a person can do about a code; empty when the server's own words have to do."""
    return _ADVICE.get(retcode, "")
