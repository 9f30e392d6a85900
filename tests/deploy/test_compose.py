"""The image and the services of one machine: what they name is there, and what they promise fits together."""

from __future__ import annotations

import json
import os
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict
from support.deployed import DASHBOARDS, DEPLOY, document
from support.repository import ROOT, lines, setup_cfg

COMPOSE: dict[str, Any] = document(DEPLOY / "compose.yaml")
SERVICES: dict[str, Any] = COMPOSE["services"]
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
OURS = [name for name in SERVICES if SERVICES[name]["image"] == "trickle" and name != "catalog"]


def instructions(word: str) -> list[str]:
    """The arguments of every instruction of that name, continued lines joined."""
    return re.findall(rf"^{word} (.+)$", DOCKERFILE.replace("\\\n", " "), re.MULTILINE)


def test_the_image_is_not_root() -> None:
    *_, user = instructions("USER")
    number, _, group = user.partition(":")
    assert number.isdigit() and group.isdigit() and int(number) > 0, "Kubernetes cannot tell who a name is"
    assert f"--uid {number}" in DOCKERFILE and f"--gid {group}" in DOCKERFILE
    # Nothing is changed in the image after that, and nobody becomes root again.
    assert not re.search(r"^(RUN|COPY|ADD|USER) ", DOCKERFILE[DOCKERFILE.rindex(f"USER {user}") + 5 :], re.MULTILINE)


def test_the_image_ends_with_a_drain() -> None:
    assert instructions("STOPSIGNAL") == ["SIGTERM"]
    # Not through a shell, which would keep the signal.
    assert json.loads(instructions("ENTRYPOINT")[0]) == ["trickle"]


def test_the_image_looks_where_its_command_answers() -> None:
    words = json.loads(instructions("CMD")[-1])
    port = words[words.index("--metrics-port") + 1]
    assert instructions("EXPOSE") == [port]
    (check,) = instructions("HEALTHCHECK")
    command = json.loads(check[check.index("CMD ") + 4 :])
    assert command[:2] == ["python", "-c"] and f"http://127.0.0.1:{port}/livez" in command[2]
    compile(command[2], "HEALTHCHECK", "exec")


def test_the_image_has_what_a_relay_needs() -> None:
    (extras,) = re.findall(r"^ARG EXTRAS=(\S+)$", DOCKERFILE, re.MULTILINE)
    known = setup_cfg()["options.extras_require"]
    for extra in extras.split(","):
        assert lines(known[extra])
    connectors = {"nats", "kafka", "redis", "rabbitmq", "http", "mqtt", "s3"}
    assert connectors | {"relay"} == set(extras.split(","))


def test_what_is_copied_into_the_image_is_there() -> None:
    for copied in instructions("COPY"):
        if not copied.startswith("--from"):
            *sources, _ = copied.split()
            assert all((ROOT / source).exists() for source in sources), copied


def test_every_file_that_is_mounted_is_there() -> None:
    for name, service in SERVICES.items():
        for volume in service.get("volumes", ()):
            source = volume.partition(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), name
            else:
                assert source in COMPOSE["volumes"], name
        if "env_file" in service:
            assert (DEPLOY / service["env_file"]).exists()
        if "build" in service:
            context = (DEPLOY / service["build"]["context"]).resolve()
            assert (context / service["build"]["dockerfile"]).exists()


def test_services_wait_for_what_they_need() -> None:
    wanted = {
        "catalog": ("database", "service_healthy"),
        "example": ("catalog", "service_completed_successfully"),
        **dict.fromkeys(OURS, ("example", "service_completed_successfully")),
    }
    assert set(OURS) == {"worker", "relay", "supervisor"}
    for name, (other, condition) in wanted.items():
        assert SERVICES[name]["depends_on"] == {other: {"condition": condition}}
    assert "healthcheck" in SERVICES["database"]
    assert SERVICES["worker"]["deploy"]["replicas"] == 2


@pytest.mark.parametrize("name", OURS)
def test_a_service_has_time_to_drain_and_answers_where_it_is_asked(name: str) -> None:
    words = [part for word in SERVICES[name]["command"] for part in word.split("=")]
    told = dict(pairwise(words))
    assert int(SERVICES[name]["stop_grace_period"].removesuffix("s")) > int(told["--drain-timeout"])
    assert (told["--metrics-host"], told["--metrics-port"]) == ("0.0.0.0", instructions("EXPOSE")[0])
    prometheus = document(DEPLOY / "prometheus" / "prometheus.yml")
    (job,) = (job for job in prometheus["scrape_configs"] if job["job_name"] == f"trickle-{name}")
    assert job["dns_sd_configs"] == [{"names": [name], "type": "A", "port": int(told["--metrics-port"])}]


def test_only_grafana_and_prometheus_are_reached_from_outside_and_only_from_here() -> None:
    opened = {name: port for name, service in SERVICES.items() for port in service.get("ports", ())}
    assert set(opened) == {"prometheus", "grafana"}
    assert all(port.startswith("127.0.0.1:") for port in opened.values())


def test_passwords_stand_in_one_file_that_says_what_it_is() -> None:
    text = (DEPLOY / "compose" / "local.env").read_text(encoding="utf-8")
    told = dict(line.split("=", 1) for line in text.splitlines() if not line.startswith("#"))
    assert len({told["POSTGRES_PASSWORD"], told["OWNER_PASSWORD"], told["GF_SECURITY_ADMIN_PASSWORD"]}) == 1
    address = conninfo_to_dict(told["TRICKLE_POSTGRES_URL"])
    assert address["password"] == told["OWNER_PASSWORD"] == "only-on-my-machine"
    assert address["host"] == "database" and address["dbname"] == "shop"
    script = DEPLOY / "compose" / "owner.sh"
    assert os.access(script, os.X_OK), "the image runs what may be executed, and reads the rest into its own shell"
    assert f"CREATE DATABASE {address['dbname']} OWNER {address['user']}" in script.read_text(encoding="utf-8")
    for path in DEPLOY.rglob("*"):
        if path.is_file() and path.name != "local.env" and path.suffix != ".pyc":
            assert "only-on-my-machine" not in path.read_text(encoding="utf-8"), path


def test_what_is_provisioned_is_mounted() -> None:
    grafana = {
        source: target for source, target, _ in (v.split(":") for v in SERVICES["grafana"]["volumes"] if v[0] == ".")
    }
    assert grafana["./grafana/provisioning"] == "/etc/grafana/provisioning"
    (provider,) = document(DEPLOY / "grafana" / "provisioning" / "dashboards" / "trickle.yml")["providers"]
    assert provider["options"]["path"] == grafana["./grafana/dashboards"] and len(DASHBOARDS) == 3
    (source,) = document(DEPLOY / "grafana" / "provisioning" / "datasources" / "prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090"
    mounted = dict(volume.split(":")[:2] for volume in SERVICES["prometheus"]["volumes"])
    (pattern,) = document(DEPLOY / "prometheus" / "prometheus.yml")["rule_files"]
    assert mounted["./prometheus/rules"] == f"/etc/prometheus/{Path(pattern).parent}"
