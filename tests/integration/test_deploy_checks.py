"""What we give to deploy is what its own tools accept."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import jsonschema_rs
import kubernetes_validate
import promql_parser
import pytest
import yaml

from app.settings import SETTINGS, load_settings
from tests import helm
from tests.conftest import ROOT

DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "revstream"
KUBERNETES = "1.34"
RULES = "rules:\n  - name: all"
# What every Python process tells, and what Prometheus itself knows of a target.
COMMON = re.compile(r"process_\w+|python_\w+|up")
SUFFIXES = ("_bucket", "_sum", "_count")


def manifests(*values: str) -> list[dict[str, Any]]:
    helm.library()
    return [one for one in yaml.safe_load_all(helm.render(CHART, *values)) if one]


def kinds(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return sorted((one["kind"], one["metadata"]["name"]) for one in found)


def container(found: list[dict[str, Any]], name: str) -> dict[str, Any]:
    [one] = [each for each in found if (each["kind"], each["metadata"]["name"]) == ("StatefulSet", name)]
    only: dict[str, Any] = one["spec"]["template"]["spec"]["containers"][0]
    return only


def test_compose_accepts_its_file() -> None:
    schema = distribution("check-jsonschema").locate_file(
        "check_jsonschema/builtin_schemas/vendor/compose-spec.json"
    )
    validator = jsonschema_rs.validator_for(json.loads(Path(str(schema)).read_text()))
    told = yaml.safe_load((ROOT / "compose.yaml").read_text())
    assert [error.message for error in validator.iter_errors(told)] == []
    assert not validator.is_valid({**told, "services": {"worker": {"imago": "revstream"}}})


def test_the_linter_of_dockerfiles_finds_nothing() -> None:
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [linter, "--failure-threshold", "warning", "--no-color", DEPLOY / "Dockerfile"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "values",
    [
        (),
        ("serve.replicas=0",),
        (f"rules={RULES}", "kafka.existingSecret=kafka", "worker.storage.className=fast"),
    ],
    ids=["as it is", "workers alone", "with rules"],
)
def test_kubernetes_accepts_what_the_chart_becomes(values: tuple[str, ...]) -> None:
    found = manifests(*values)
    for one in found:
        kubernetes_validate.validate(one, KUBERNETES, strict=True)
    components = ["worker"] if "serve.replicas=0" in values else ["serve", "worker"]
    expected = [
        *(("PodDisruptionBudget", f"site-{name}") for name in components),
        *(("Service", f"site-{name}{suffix}") for name in components for suffix in ("", "-pods")),
        *(("StatefulSet", f"site-{name}") for name in components),
    ]
    if f"rules={RULES}" in values:
        expected.append(("ConfigMap", "site-rules"))
    assert kinds(found) == sorted(expected)


def test_the_chart_refuses_values_that_cannot_work() -> None:
    helm.library()
    for wrong in (
        "worker.replicas=0",
        "kafka.broker=kafka:9092",
        "worker.storage.size=much",
        "wroker.replicas=2",
    ):
        with pytest.raises(AssertionError, match="specifications of the schema"):
            helm.render(CHART, wrong)


def test_pods_of_the_chart_have_settings_that_we_accept_and_probes_that_we_answer() -> None:
    found = manifests(f"rules={RULES}", "settings.REVSTREAM_MEDIAWIKI_CONTACT=ops@example.org")
    for name in ("worker", "serve"):
        pod = container(found, f"site-{name}")
        told = {one["name"]: one.get("value", "") for one in pod["env"] if one["name"] != "POD_NAME"}
        settings = load_settings(environ={key: str(value) for key, value in told.items()}, cwd=ROOT)
        assert settings.kafka_addresses == ("kafka:9092",)
        assert settings.rules == "/etc/revstream/rules.yaml"
        assert pod["args"] == [name]
        assert pod["livenessProbe"]["httpGet"]["path"] == "/healthz"
        assert pod["readinessProbe"]["httpGet"]["path"] == "/readyz"
        assert {mount["mountPath"] for mount in pod["volumeMounts"]} >= {"/data", "/etc/revstream"}


@pytest.mark.parametrize("name", ["worker", "serve"])
def test_systemd_accepts_its_units(name: str, tmp_path: Path) -> None:
    verifier = shutil.which("systemd-analyze")
    if verifier is None:
        pytest.skip("systemd is not installed")
    text = (DEPLOY / "systemd" / f"revstream-{name}.service").read_text()
    command = Path(sys.executable).with_name("revstream")
    unit = tmp_path / f"revstream-{name}.service"
    # Where it is installed there is nothing here.
    unit.write_text(text.replace("/opt/revstream/bin/revstream", str(command)))
    done = subprocess.run([verifier, "verify", unit], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    told = dict(re.findall(r"^Environment=(\w+)=(.*)$", text, re.MULTILINE))
    assert set(told) - {"REVSTREAM_CONFIG"} <= {setting.variable for setting in SETTINGS}
    assert f"bin/revstream {name}\n" in text


def asked() -> Iterator[tuple[str, str]]:
    """Yield what alerts and dashboard ask Prometheus, with who asks."""
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())
    for group in rules["groups"]:
        for rule in group["rules"]:
            yield rule["alert"], rule["expr"]
    dashboard = json.loads((DEPLOY / "grafana" / "dashboards" / "revstream.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")


def named(expression: Any) -> Iterator[str]:
    """Yield the names of metrics in an expression that is parsed."""
    if isinstance(expression, promql_parser.VectorSelector):
        yield str(expression.name)
    for place in ("lhs", "rhs", "expr", "args", "vector_selector"):
        inner = getattr(expression, place, None) or ()
        for one in inner if isinstance(inner, list) else (inner,) if inner != () else ():
            yield from named(one)


def documented() -> dict[str, str]:
    """Return the kinds of our metrics by name."""
    table = (ROOT / "README.md").read_text().partition("<!-- metrics -->")[2].partition("<!-- end")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (\w+) \|", table, re.MULTILINE))


def test_alerts_and_dashboard_ask_for_metrics_that_there_are() -> None:
    known = documented()
    families = {name for name, kind in known.items() if kind == "histogram"}
    known_names = known.keys() | {family + suffix for family in families for suffix in SUFFIXES}
    questions = list(asked())
    assert len(questions) > 40
    for who, question in questions:
        names = set(named(promql_parser.parse(question)))
        assert names, who
        unknown = {name for name in names if name not in known_names and not COMMON.fullmatch(name)}
        assert unknown == set(), who


def test_every_metric_of_ours_is_on_the_dashboard() -> None:
    text = (DEPLOY / "grafana" / "dashboards" / "revstream.json").read_text()
    assert [name for name in documented() if name not in text] == []


def test_each_alert_says_what_to_do_and_whom_it_wakes() -> None:
    rules = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"][0]["rules"]
    for rule in rules:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"].keys() == {"summary", "action"}
    assert len({rule["alert"] for rule in rules}) == len(rules)
