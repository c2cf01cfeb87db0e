"""What the simulated PSPs share: the book of what was paid, misbehaviour, the HTTP side, webhooks, reports.

Each PSP's own protocol is in integrations/simulators/psp_card and psp_crypto. Nothing is shared with the adapters.
"""
