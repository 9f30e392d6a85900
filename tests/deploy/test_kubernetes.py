"""The manifests: what has to agree with itself and with the program. Their schemas are looked at by `tox -e lint`.

Lies it would catch: a probe at a path or port where nobody answers; a grace period that ends before the drain does; a
disruption budget that is about no pod; a pod that may be root; a patch that leads nowhere.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.deployed import DEPLOY, MANIFESTS, document, documents
from support.repository import ROOT, lines, setup_cfg

from trickle.supervisor.http import Board, Health

KUBERNETES = DEPLOY / "kubernetes"
FOUND = [(path, found) for path in MANIFESTS for found in documents(path)]
DEPLOYMENTS = {found["metadata"]["name"]: found for _, found in FOUND if found["kind"] == "Deployment"}
KUSTOMIZATIONS = sorted(KUBERNETES.rglob("kustomization.yaml"))

Manifest = dict[str, Any]
each = pytest.mark.parametrize("deployment", DEPLOYMENTS.values(), ids=DEPLOYMENTS.keys())


def pod(deployment: Manifest) -> Manifest:
    found = deployment["spec"]["template"]["spec"]
    assert isinstance(found, dict)
    return found


def container(deployment: Manifest) -> Manifest:
    (only,) = pod(deployment)["containers"]
    assert isinstance(only, dict)
    return only


def flag(deployment: Manifest, name: str) -> str:
    (value,) = (word.partition("=")[2] for word in container(deployment)["args"] if word.startswith(f"--{name}="))
    return str(value)


def test_every_part_is_there() -> None:
    assert set(DEPLOYMENTS) == {"trickle-worker", "trickle-relay", "trickle-supervisor"}
    for name, deployment in DEPLOYMENTS.items():
        assert container(deployment)["args"][0] == name.removeprefix("trickle-")


@each
def test_labels_lead_to_its_pods(deployment: Manifest) -> None:
    name, labels = deployment["metadata"]["name"], deployment["spec"]["template"]["metadata"]["labels"]
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert deployment["metadata"]["labels"] == labels
    (budget,) = (f for _, f in FOUND if f["kind"] == "PodDisruptionBudget" and f["metadata"]["name"] == name)
    assert budget["spec"]["selector"]["matchLabels"] == labels
    assert budget["spec"]["minAvailable"] < deployment["spec"]["replicas"], "no pod could ever be moved"
    (spread,) = pod(deployment)["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == labels
    others = [other for other in DEPLOYMENTS.values() if other is not deployment]
    assert all(other["spec"]["selector"]["matchLabels"] != labels for other in others)


@each
def test_probes_ask_where_it_answers(deployment: Manifest) -> None:
    own = container(deployment)
    (port,) = own["ports"]
    assert port["containerPort"] == int(flag(deployment, "metrics-port"))
    assert flag(deployment, "metrics-host") == "0.0.0.0"
    for probe, path in (("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")):
        assert own[probe]["httpGet"] == {"path": path, "port": port["name"]}
        assert Board().answer(path) is not None, "nobody answers there"
    # The server may take 30 seconds to answer before the port opens.
    assert own["startupProbe"]["periodSeconds"] * own["startupProbe"]["failureThreshold"] > 2 * 30


def test_what_the_probes_rely_on() -> None:
    """Ready on a standby and when joined, and no longer when it drains; alive in all of them."""
    board = Board()
    for state, status in (("joined", 200), ("standby", 200), ("connecting", 503), ("draining", 503)):
        board.publish(Health(state=state))
        ready, alive = board.answer("/readyz"), board.answer("/livez")
        assert ready and ready[0] == HTTPStatus(status)
        assert alive and alive[0] == HTTPStatus.OK


@each
def test_it_has_time_to_drain(deployment: Manifest) -> None:
    seconds = pod(deployment)["terminationGracePeriodSeconds"]
    assert seconds >= float(flag(deployment, "drain-timeout")) + 15
    shell, option, script = container(deployment)["lifecycle"]["preStop"]["exec"]["command"]
    assert (shell, option) == ("sh", "-c")
    # It has to wait for the process that it has told: a hook that returned would bring the second, hard signal.
    assert re.fullmatch(r"kill -TERM 1 && while kill -0 1; do sleep \d+; done", script)


@each
def test_it_is_nobody_in_particular(deployment: Manifest) -> None:
    own = pod(deployment)["securityContext"]
    assert own["runAsNonRoot"] is True
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    assert f"USER {own['runAsUser']}:{own['runAsGroup']}" in dockerfile
    assert pod(deployment)["automountServiceAccountToken"] is False
    for one in (*pod(deployment)["initContainers"], *pod(deployment)["containers"]):
        assert one["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert one["resources"]["limits"]["memory"]
    writable = {mount["mountPath"] for mount in container(deployment)["volumeMounts"]}
    assert writable == {"/tmp"}


@each
def test_it_is_told_of_the_database_by_a_secret(deployment: Manifest) -> None:
    for one in (*pod(deployment)["initContainers"], *pod(deployment)["containers"]):
        (address,) = (known for known in one["env"] if known["name"] == "TRICKLE_POSTGRES_URL")
        assert address["valueFrom"]["secretKeyRef"] == {"name": "trickle-database", "key": "uri"}
    (config,) = (found for _, found in FOUND if found["kind"] == "ConfigMap")
    assert container(deployment)["envFrom"] == [{"configMapRef": {"name": config["metadata"]["name"]}}]


def test_settings_of_the_config_map_are_settings() -> None:
    (config,) = (found for _, found in FOUND if found["kind"] == "ConfigMap")
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for name, value in config["data"].items():
        assert f"`{name}`" in page
        assert isinstance(value, str)


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=lambda path: path.parent.name)
def test_a_kustomization_takes_every_file_beside_it(path: Path) -> None:
    resources = set(document(path)["resources"])
    beside = {other.name for other in path.parent.glob("*.yaml")} - {path.name}
    assert {name for name in resources if not name.startswith("../")} == beside
    assert all((path.parent / name).exists() for name in resources)
    # Kustomize refuses one that contains the one it was called for.
    assert not any(path.parent.is_relative_to((path.parent / name).resolve()) for name in resources)


def test_patches_lead_to_the_secret_of_the_cluster() -> None:
    path = KUBERNETES / "cloudnativepg" / "kustomization.yaml"
    (cluster,) = documents(path.parent / "cluster.yaml")
    (patch,) = document(path)["patches"]
    label, _, value = patch["target"]["labelSelector"].partition("=")
    for deployment in DEPLOYMENTS.values():
        assert deployment["metadata"]["labels"][label] == value
        for step in yaml.safe_load(patch["patch"]):
            assert step["op"] == "replace" and step["value"] == cluster["metadata"]["name"] + "-app"
            found: Any = deployment
            for word in step["path"].strip("/").split("/"):
                found = found[int(word) if word.isdigit() else word]
            assert found == "trickle-database"


def test_the_cluster_is_as_printed_and_needs_no_extension() -> None:
    (cluster,) = documents(KUBERNETES / "cloudnativepg" / "cluster.yaml")
    assert (cluster["apiVersion"], cluster["kind"]) == ("postgresql.cnpg.io/v1", "Cluster")
    assert cluster["metadata"]["name"] == "pg-trickle-cluster"
    assert cluster["spec"]["instances"] == 3
    told = cluster["spec"]["postgresql"]
    printed = {
        "pg_trickle.enabled": "true",
        "pg_trickle.scheduler_interval_ms": "1000",
        "pg_trickle.max_concurrent_refreshes": "4",
    }
    assert printed.items() <= told["parameters"].items()
    assert all(isinstance(value, str) for value in told["parameters"].values()), "the operator takes texts alone"
    # What is printed beside them would keep a stock server from starting.
    assert "shared_preload_libraries" not in told and "imageName" not in cluster["spec"]
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    ours = {name for name in told["parameters"] if name.startswith("pg_trickle.")}
    assert all(f"`{name}`" in page for name in ours)


def test_there_are_connections_for_all_of_them() -> None:
    (cluster,) = documents(KUBERNETES / "cloudnativepg" / "cluster.yaml")
    parameters = cluster["spec"]["postgresql"]["parameters"]
    supervisor = DEPLOYMENTS["trickle-supervisor"]
    of_tenants = int(flag(supervisor, "hot-pool-max")) * (
        int(flag(supervisor, "tenant-pool-max")) + int(flag(supervisor, "queue-pool-max"))
    )
    workers = DEPLOYMENTS["trickle-worker"]["spec"]["replicas"] * (
        3 + int(parameters["pg_trickle.max_concurrent_refreshes"])
    )
    taken = supervisor["spec"]["replicas"] * of_tenants + workers
    assert taken < 0.75 * int(parameters["max_connections"])


def test_lint_looks_at_every_manifest_of_the_core() -> None:
    text = (ROOT / "tox.ini").read_text(encoding="utf-8")
    named = re.findall(r"deploy/kubernetes/(\S+\.yaml)", text)
    core = {path for path, found in FOUND if found["apiVersion"] in ("v1", "apps/v1", "policy/v1")}
    assert {KUBERNETES / name for name in named} == core
    assert any("kubernetes-validate" in line for line in lines(setup_cfg()["options.extras_require"]["lint"]))
