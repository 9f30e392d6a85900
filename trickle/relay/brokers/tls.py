"""Certificates from files, for every client that takes a context of the standard library."""

from __future__ import annotations

import ssl

from trickle.relay.failures import ConnectorError, FailureKind


def context(ca_cert: str, client_cert: str, client_key: str) -> ssl.SSLContext:
    """A context that verifies the server, by the system's authorities where none is given. Raises ConnectorError."""
    try:
        made = ssl.create_default_context(cafile=ca_cert or None)
        if client_cert:
            made.load_cert_chain(client_cert, client_key or None)
    except (OSError, ValueError) as error:  # an SSLError is an OSError
        files = ", ".join(repr(path) for path in (ca_cert, client_cert, client_key) if path)
        reason = getattr(error, "strerror", None) or type(error).__name__
        raise ConnectorError(FailureKind.TLS, f"the certificates ({files}) cannot be loaded: {reason}") from error
    return made
