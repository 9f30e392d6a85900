"""Fixtures for every test; `support` says what they are."""

pytest_plugins = ["support.databases", "support.mqtt", "support.pooler", "support.s3", "support.server"]
