"""Readers of webhooks, one file per provider. Pure: bytes, headers, secrets and the time in, events out."""

from integrations.adapters.webhooks import (
    adyen,
    checkout,
    coinspaid,
    generic,
    nowpayments,
    paypal,
    praxis,
    skrill,
    stripe,
)

READERS = (
    adyen.READER,
    checkout.READER,
    coinspaid.READER,
    generic.READER,
    nowpayments.READER,
    paypal.READER,
    praxis.READER,
    skrill.READER,
    stripe.READER,
)
