"""Counts loopback as TLS.

Policies that deny plain HTTP (`aws:SecureTransport`) mean the network, and this process serves loopback only.
Upstream: a setting.
"""

from ministack import app

from local.emulator.context import Context

TARGETS = {"ministack.app.pin_request_origin": "de819c1bd9ac"}


def apply(_context: Context) -> None:
    pin = app.pin_request_origin
    app.pin_request_origin = lambda address, _secure: pin(address, secure_transport=True)
