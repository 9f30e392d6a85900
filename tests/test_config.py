"""Settings: precedence, words about what is wrong, and a documentation that is what the table says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from trickle import config
from trickle.catalog.settings import from_profile, presets
from trickle.cli.absent_settings import absent_settings
from trickle.cli.settings_page import markdown_page
from trickle.database_settings import DatabaseSettings
from trickle.errors import ConfigurationError
from trickle.settings import Settings

ROOT = Path(__file__).parents[1]


def flags(**values: object) -> config.Source:
    return config.from_flags(values)


def test_defaults_are_valid() -> None:
    every = {name: default for name, (default, _) in config.table().items()}
    assert config.merge(flags(**every)) == Settings() == config.merge()


def test_later_sources_win_and_absent_keys_do_not(tmp_path: Path) -> None:
    file = tmp_path / "trickle.toml"
    file.write_text('drain_timeout = 1\nmetrics_port = 9001\nrelay_group_id = "blue"\nlog_level = "debug"\n')
    merged = config.merge(
        config.from_file(file),
        config.from_environment(
            {"TRICKLE_DRAIN_TIMEOUT": "2", "TRICKLE_METRICS_PORT": "9002", "TRICKLE_LOG_LEVEL": ""}
        ),
        config.from_database({"drain_timeout": "3", "merge_work_mem_mb": "64"}),
        flags(drain_timeout="4", metrics_port=None),
    )
    assert (merged.drain_timeout, merged.metrics_port) == (4.0, 9002)
    assert (merged.relay_group_id, merged.log_level) == ("blue", "debug")
    assert merged.discovery_interval == Settings().discovery_interval


def test_the_database_does_not_set_what_belongs_to_one_instance() -> None:
    values = {"postgres_url": "postgresql://elsewhere", "instance_id": "x", "metrics_port": "9000"}
    merged = config.merge(config.from_database(values))
    assert (merged.postgres_url, merged.instance_id, merged.metrics_port) == ("", "", 9000)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5", 5.0),
        ("0.5", 0.5),
        ("500ms", 0.5),
        ("30s", 30.0),
        ("2 min", 120.0),
        ("1H", 3600.0),
        (".25", 0.25),
    ],
)
def test_times_may_carry_a_unit(text: str, seconds: float) -> None:
    assert config.merge(flags(discovery_interval=text)).discovery_interval == seconds


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("discovery_interval", "soon", "'soon' is not a number of s"),
        ("discovery_interval", "5 parsecs", "'5 parsecs' is not a number of s"),
        ("discovery_interval", "0", "0 is outside 0.1–3600 s"),
        ("discovery_interval", "inf", "'inf' is not a number of s"),
        ("discovery_interval", float("nan"), "nan is outside 0.1–3600 s"),
        ("drain_timeout", "2d", "172800 is outside 0–3600 s"),
        ("drain_timeout", True, "True is not a number of s"),
        ("metrics_port", "70000", "70000 is outside 0–65535"),
        ("metrics_port", "80.5", "'80.5' is not a whole number"),
        ("metrics_port", "80s", "'80s' is not a number"),
        ("max_concurrent_refreshes", "-1", "-1 is outside 1–64"),
        ("log_format", "xml", "'xml' is not one of text, json"),
        ("relay_group_id", 7, "7 is not text"),
    ],
)
def test_a_wrong_value_is_reported_with_its_place(name: str, value: object, words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        config.merge({name: config.Given(value, "over there")})
    assert caught.value.message == f"over there: {words}"


def test_all_that_is_wrong_is_reported_at_once() -> None:
    environment = {"TRICKLE_METRICS_PORT": "x", "TRICKLE_LOG_LEVEL": "loud"}
    with pytest.raises(ConfigurationError) as caught:
        config.merge(config.from_environment(environment), flags(drain_timeout="-1"))
    message = caught.value.message
    assert all(place in message for place in ("TRICKLE_METRICS_PORT:", "TRICKLE_LOG_LEVEL:", "--drain-timeout:"))


def test_a_wrong_value_that_is_overridden_does_no_harm() -> None:
    assert (
        config.merge(config.from_environment({"TRICKLE_METRICS_PORT": "x"}), flags(metrics_port="1")).metrics_port == 1
    )


def test_an_unknown_key_of_the_file_names_its_neighbour(tmp_path: Path) -> None:
    file = tmp_path / "trickle.toml"
    file.write_text("drain_timout = 3\n")
    with pytest.raises(ConfigurationError, match="drain_timout") as caught:
        config.from_file(file)
    assert caught.value.hint == "did you mean drain_timeout?"


@pytest.mark.parametrize("text", ["metrics_port = ", "[[[", "metrics_port = 1\nmetrics_port = 2"])
def test_a_file_that_is_no_toml_is_one_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "trickle.toml"
    file.write_text(text)
    with pytest.raises(ConfigurationError, match="not valid TOML"):
        config.from_file(file)


def test_a_file_that_is_missing_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot read the settings file"):
        config.from_file(tmp_path / "nowhere.toml")


def test_other_trickle_variables_are_not_settings() -> None:
    assert config.from_environment({"TRICKLE_PG_BIN": "/usr/bin", "TRICKLE_CONFIG": "x", "HOME": "/"}) == {}


def test_every_setting_says_what_it_is() -> None:
    for name, (default, about) in config.table().items():
        assert about.help.endswith("."), name
        assert config.environment_name(name) in config.help_text(name)
        assert isinstance(default, str) or about.minimum is not None, name


def test_every_setting_that_the_server_reads_is_documented() -> None:
    reads = re.compile(r"_setting(?:_number|_flag)?\('([a-z_]+)', *'?([^')]*)'?\)")
    runtime = (ROOT / "trickle" / "sql" / "runtime").glob("*.sql")
    found = {match for file in runtime for match in reads.findall(file.read_text(encoding="utf-8"))}
    documented = {name: entry for name, entry in config.table().items() if entry[1].in_database}
    documented |= config.table(DatabaseSettings)
    assert {name for name, _ in found} <= set(documented)
    for name, fallback in found:
        default, about = documented[name]
        if fallback == "NULL":
            continue
        assert fallback in (config.show(default), f"{config.show(default)}{about.unit}"), name


def test_the_documentation_is_fresh() -> None:
    assert (ROOT / "docs" / "settings.md").read_text(encoding="utf-8") == markdown_page()


def test_every_setting_of_the_field_is_known_or_has_a_reason_not_to_be() -> None:
    """The names are those that the documents and the catalogue of pg_trickle print."""
    named = set((ROOT / "tests" / "seeds" / "settings.txt").read_text(encoding="utf-8").split())
    known = set(config.table()) | set(config.table(DatabaseSettings))
    absent = absent_settings()
    assert not named - known - set(absent)
    assert not known & set(absent), "either it is read, or it says why not"
    assert all(reason.endswith(".") for reason in absent.values())


def test_every_setting_of_the_database_is_read_somewhere() -> None:
    package = ROOT / "trickle"
    texts = [path.read_text(encoding="utf-8") for path in package.rglob("*.sql") if path.name != "_presets.sql"]
    texts += [path.read_text(encoding="utf-8") for path in package.rglob("*.py") if path.name != "config.py"]
    for name in config.table(DatabaseSettings):
        assert any(re.search(rf"\b{name}\b", text) for text in texts), name


def test_a_profile_counts_less_than_anything_else() -> None:
    merged = config.merge(from_profile("high-throughput"), config.from_environment({}))
    assert merged.max_concurrent_refreshes == 8
    environment = config.from_environment({"TRICKLE_MAX_CONCURRENT_REFRESHES": "3"})
    assert config.merge(from_profile("high-throughput"), environment).max_concurrent_refreshes == 3
    assert from_profile("") == {}
    assert set(presets()) == {"low-latency", "high-throughput", "constrained"}
    with pytest.raises(ConfigurationError, match="not one of"):
        config.merge(flags(profile="fast"))


def test_profiles_are_those_that_are_printed() -> None:
    printed: dict[str, dict[str, str]] = {}
    for line in (ROOT / "tests" / "seeds" / "printed" / "profiles.conf").read_text(encoding="utf-8").splitlines():
        if line.startswith("--- "):
            values = printed.setdefault(line.removeprefix("--- "), {})
        else:
            name, value = line.removeprefix("pg_trickle.").split(" = ")
            values[name] = value.strip("'")
    assert presets() == printed


def test_a_profile_gives_values_that_are_allowed() -> None:
    known = config.table() | config.table(DatabaseSettings)
    for values in presets().values():
        for name, value in values.items():
            assert name in known or name in absent_settings(), name
            if name in known:
                config.checked(name, value)
