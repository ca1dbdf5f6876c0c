"""What compose.yaml and the Dockerfile say agrees with the settings, the pom and each other."""

import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest
import yaml

from schemas.keys import PAGE_CHANGE_TOPIC
from tests.conftest import ROOT

COMPOSE = (ROOT / "compose.yaml").read_text()
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text()
POM = "{http://maven.apache.org/POM/4.0.0}"


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
    return found


def kafka_version() -> str:
    version = ET.parse(ROOT / "deploy" / "kafka" / "pom.xml").find(f".//{POM}kafka.version")
    assert version is not None
    assert version.text
    return version.text


def test_every_service_has_a_health_check(services: dict[str, dict[str, Any]]) -> None:
    assert sorted(services) == ["grafana", "kafka", "prometheus", "serve", "worker"]
    assert [name for name, service in services.items() if not service["healthcheck"]["test"]] == []
    assert "\nHEALTHCHECK " in DOCKERFILE
    assert "/healthz" in DOCKERFILE


def test_containers_and_tests_run_the_same_kafka(services: dict[str, dict[str, Any]]) -> None:
    assert services["kafka"]["image"] == f"apache/kafka:{kafka_version()}"
    sums = (ROOT / "deploy" / "kafka" / "SHA512SUMS").read_text()
    assert f"  kafka_2.13-{kafka_version()}.jar\n" in sums


def test_no_topic_appears_by_itself_in_containers_or_in_tests(services: dict[str, dict[str, Any]]) -> None:
    assert services["kafka"]["environment"]["KAFKA_AUTO_CREATE_TOPICS_ENABLE"] == "false"
    properties = (ROOT / "deploy" / "kafka" / "server.properties").read_text()
    assert "\nauto.create.topics.enable=false\n" in properties


def test_every_variable_named_is_a_setting() -> None:
    from app.settings import SETTINGS

    known = {setting.variable for setting in SETTINGS}
    for text in (COMPOSE, DOCKERFILE):
        named = set(re.findall(r"\bREVSTREAM_\w+", text))
        assert named
        assert named <= known


@pytest.mark.parametrize("name", ["worker", "serve"])
def test_the_settings_of_a_service_are_accepted(services: dict[str, dict[str, Any]], name: str) -> None:
    from app.settings import load_settings

    settings = load_settings(environ=services[name]["environment"], cwd=ROOT / "deploy")

    assert settings.kafka_addresses == ("kafka:9092",)
    assert f"{settings.data_dir}" in [volume.partition(":")[2] for volume in services[name]["volumes"]]
    assert settings.http_host == "0.0.0.0"
    assert [port.rpartition(":")[2] for port in services[name]["ports"]] == [str(settings.http_port)]


def test_ports_are_published_on_loopback_only_and_none_twice(services: dict[str, dict[str, Any]]) -> None:
    published = [port.rpartition(":")[0] for service in services.values() for port in service["ports"]]
    assert [port for port in published if not port.startswith("127.0.0.1:")] == []
    assert len(set(published)) == len(published)


def test_services_share_no_volume_and_wait_for_kafka(services: dict[str, dict[str, Any]]) -> None:
    mounted = [volume.partition(":")[0] for service in services.values() for volume in service["volumes"]]
    volumes = [name for name in mounted if not name.startswith("./")]
    assert sorted(volumes) == sorted(set(yaml.safe_load(COMPOSE)["volumes"]))
    for name in ("worker", "serve"):
        assert services[name]["depends_on"] == {"kafka": {"condition": "service_healthy"}}
        assert services[name]["command"] == [name]


def test_the_topic_that_compose_tells_of_is_the_one_that_is_read() -> None:
    assert f"the topic {PAGE_CHANGE_TOPIC} " in COMPOSE


def test_the_image_checks_digests_drops_root_and_holds_every_package() -> None:
    lines = DOCKERFILE.splitlines()
    assert any("pip install --require-hashes -r requirements.lock" in line for line in lines)
    assert [line for line in lines if line.startswith("USER ")] == ["USER revstream"]
    copied = {line.split()[1] for line in lines if re.match(r"COPY \w+ \w+$", line)}
    assert copied == {"schemas", "models", "tables", "agents", "batch", "app"}
    sent = (ROOT / "deploy" / "Dockerfile.dockerignore").read_text()
    assert {name for name in copied if f"\n!{name}\n" not in sent} == set()
