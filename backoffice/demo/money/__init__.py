"""The money desk of the demo: wallets and payees, deposits and withdrawals in every state, PSPs that pay out, client
money. Planned with the rest, then made through the real services by the demo's people.
"""
