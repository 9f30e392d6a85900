"""The example of a pooler is the one that the tests run behind."""

from __future__ import annotations

from configparser import ConfigParser

from support.deployed import DEPLOY
from support.pooler import _CONFIGURATION


def parsed(text: str) -> ConfigParser:
    parser = ConfigParser(comment_prefixes=(";", "#"), interpolation=None)
    parser.read_string(text)
    return parser


def test_it_pools_as_that_of_the_tests_does() -> None:
    ours = parsed((DEPLOY / "pgbouncer.ini").read_text(encoding="utf-8"))["pgbouncer"]
    tried = parsed(_CONFIGURATION)["pgbouncer"]
    for name in ("pool_mode", "server_reset_query", "ignore_startup_parameters"):
        assert ours[name] == tried[name]
    # Of the machine that the tests run on.
    own = {"listen_addr", "listen_port", "unix_socket_dir", "auth_type", "default_pool_size", "logfile"}
    assert set(tried) - set(ours) <= own


def test_it_lets_nobody_in_without_a_password() -> None:
    ours = parsed((DEPLOY / "pgbouncer.ini").read_text(encoding="utf-8"))["pgbouncer"]
    assert ours["auth_type"] == "scram-sha-256" and "password" not in ours
    assert int(ours["default_pool_size"]) <= int(ours["max_db_connections"]) < int(ours["max_client_conn"])
