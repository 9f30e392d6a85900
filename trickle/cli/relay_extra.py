"""What the relay needs beside the package itself, asked for before it is missed in the middle of something."""

from __future__ import annotations

from importlib.util import find_spec

from trickle.errors import ConfigurationError

_PACKAGES = {"jmespath": "jmespath", "yaml": "PyYAML"}


def require_relay() -> None:
    """Raises ConfigurationError: what is not installed, and how to get it."""
    missing = [package for module, package in _PACKAGES.items() if find_spec(module) is None]
    if missing:
        raise ConfigurationError(
            f"the relay needs {' and '.join(missing)}",
            hint="pip install 'trickle-pg[relay]', and an extra for each broker: 'trickle-pg[relay,nats]'",
        )
