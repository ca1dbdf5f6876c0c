"""What may be set. The type is the validator, and its description is the documentation."""

import os
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from schemas.errors import SettingsError
from schemas.secret import Secret

SAMPLE: Final = "sample"
SAMPLE_WIKI: Final = "samplewiki"
EVENTSTREAMS: Final = "eventstreams"
MEDIAWIKI: Final = "mediawiki"
EMBEDDED_SCHEME: Final = "embedded://"
KAFKA_SCHEME: Final = "kafka://"
LOCK_NAME: Final = "lock"
LOG_NAME: Final = "log.db"

_Text = Annotated[str, Meta(min_length=1)]


class WikiSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What is served for one wiki.

    Attributes:
        models: Name under which clients ask to name of the artefact: ``reverted`` to ``enwiki-reverted``.
        domain: Host name of the wiki, for revisions asked for without an event that names it.
    """

    models: Annotated[dict[_Text, _Text], Meta(min_length=1)]
    domain: str | None = None

    @property
    def shown(self) -> str:
        """What the table of settings says of it."""
        return ", ".join(self.models)


class ClientSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """What may be scored on demand for clients of one class.

    Attributes:
        parallel: Requests at a time; 0 is any number.
        per_minute: Revisions a minute; 0 is any number.
        tokens: Bearer tokens of those in it.
        networks: Addresses of those in it, ``10.0.0.0/8``.
    """

    parallel: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    per_minute: Annotated[int, Meta(ge=0, le=1_000_000_000)] = 0
    tokens: tuple[Secret, ...] = ()
    networks: tuple[_Text, ...] = ()

    @property
    def shown(self) -> str:
        """What the table of settings says of it."""
        return f"parallel = {self.parallel}"


DEFAULT_WIKIS: Final = {
    "enwiki": WikiSettings({"reverted": "enwiki-reverted"}, "en.wikipedia.org"),
    SAMPLE_WIKI: WikiSettings({"reverted": "enwiki-reverted"}),
    "testwiki": WikiSettings({"revid": "testwiki-revid"}, "test.wikipedia.org"),
}


# As many connections of one address as ORES let in.
DEFAULT_CLIENTS: Final = {"default": ClientSettings(parallel=7)}


class Settings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that can be set. ``SETTINGS`` has the same as rows with help."""

    data_dir: Annotated[Path, Meta(description="Folder of the log, the tables and the lock.")] = Path(
        ".revstream"
    )
    app_id: Annotated[
        str,
        Meta(
            description="Name of the application: consumer group, and prefix of its topics.",
            pattern=r"^[A-Za-z0-9._-]{1,100}\Z",
        ),
    ] = "revstream"
    broker: Annotated[
        str,
        Meta(
            description="Engine: `embedded://PATH` for the log in one file (without a path: `log.db` in "
            "`data_dir`), or `kafka://HOST:PORT`, several joined by commas.",
            pattern=r"^(embedded://.*|kafka://[^/\s,:]+:[0-9]+(,[^/\s,:]+:[0-9]+)*)\Z",
        ),
    ] = EMBEDDED_SCHEME
    partitions: Annotated[
        int,
        Meta(
            description="Partitions of the source topic and the tables. Fixed once they exist.", ge=1, le=1024
        ),
    ] = 4
    broker_session_timeout_seconds: Annotated[
        float,
        Meta(
            description="How long Kafka waits for a silent worker before others take its partitions.",
            ge=1,
            le=300,
        ),
    ] = 10.0
    kafka_security_protocol: Annotated[
        Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"],
        Meta(description="What the listener speaks: TLS (`SSL`), a login (`SASL`), both or neither."),
    ] = "PLAINTEXT"
    kafka_sasl_mechanism: Annotated[
        Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"],
        Meta(description="How to log in. `PLAIN` sends the password as it is: use it over TLS only."),
    ] = "SCRAM-SHA-512"
    kafka_username: Annotated[str, Meta(description="User to log in to Kafka as.")] = ""
    kafka_password: Annotated[
        Secret, Meta(description="Its password. From the environment or the file only, and never shown.")
    ] = Secret()
    kafka_ca_file: Annotated[
        str,
        Meta(description="PEM file of who certifies the brokers; empty for the system's authorities."),
    ] = ""
    kafka_client_cert_file: Annotated[
        str, Meta(description="PEM file of our own certificate with its chain, where brokers ask for one.")
    ] = ""
    kafka_client_key_file: Annotated[
        str,
        Meta(
            description="PEM file of its key, without a passphrase; empty where the file before has it too."
        ),
    ] = ""
    kafka_client_id: Annotated[
        str,
        Meta(
            description="Name of the process in brokers' logs and quotas; empty for `app_id`.",
            pattern=r"^[A-Za-z0-9._-]{0,100}\Z",
        ),
    ] = ""
    http_host: Annotated[_Text, Meta(description="Address that the read API listens on.")] = "127.0.0.1"
    http_port: Annotated[
        int, Meta(description="Port that the read API listens on; 0 takes a free one.", ge=0, le=65535)
    ] = 8090
    ores_paths: Annotated[
        Literal["ores", "ores-legacy"],
        Meta(
            description="What answers at ORES's paths: ORES in all its versions, or ores-legacy, which has "
            "version 3 only, with limits and refusals of its own."
        ),
    ] = "ores"
    ores_legacy_scores_most: Annotated[
        int,
        Meta(
            description="Revisions times models that one request to `ores-legacy` for several revisions may "
            "ask for.",
            ge=1,
            le=10_000,
        ),
    ] = 20
    workers: Annotated[
        int,
        Meta(
            description="Processes of `revstream serve`, which answer on one address from one copy of the "
            "predictions.",
            ge=1,
            le=256,
        ),
    ] = 1
    feed_readers: Annotated[
        int,
        Meta(
            description="Readers of `/feed` at once; beyond them, and at 0, it answers 503.", ge=0, le=100_000
        ),
    ] = 1000
    cache_seconds: Annotated[
        int,
        Meta(
            description="How long browsers and CDNs may keep an answer of `/scores` or `/pages`, hence one "
            "that was withdrawn meanwhile; 0: they ask each time.",
            ge=0,
            le=3600,
        ),
    ] = 10
    intake: Annotated[
        Literal["off", "token", "open"],
        Meta(
            description="Who may post events to `/v1/events`: nobody, who has the token, or who reaches the "
            "address."
        ),
    ] = "off"
    intake_token: Annotated[
        Secret,
        Meta(description="Bearer token of those who post events. From the environment or the file only."),
    ] = Secret()
    intake_backlog_events: Annotated[
        int,
        Meta(
            description="Events that may wait to be handled before the intake refuses more.", ge=1, le=10**9
        ),
    ] = 100_000
    advertised_url: Annotated[
        str,
        Meta(
            description="Address at which other workers reach the read API, `http://HOST:PORT`; empty is the "
            "one that it listens on. Each worker needs one of its own.",
            pattern=r"^(|https?://[^\s/]+/?)\Z",
        ),
    ] = ""
    standby_replicas: Annotated[
        int,
        Meta(
            description="Workers that follow each partition of another, to answer and take over at once when "
            "that one is gone. On Kafka only; all workers must be set alike.",
            ge=0,
            le=16,
        ),
    ] = 0
    checkpoint_folder: Annotated[
        str,
        Meta(
            description="Folder that `revstream checkpoint write` writes to: partitions new here, as "
            "after the loss of a disk, and new copies of `revstream serve` are filled from the latest one in "
            "it, then from the changelog."
        ),
    ] = ""
    snapshot_folder: Annotated[
        str,
        Meta(
            description="Folder of snapshots: live scores are compared with those of the newest one that has "
            "scores of the model's version, beside the model's own test. It is looked through at the start "
            "and every ten minutes."
        ),
    ] = ""
    source: Annotated[
        _Text,
        Meta(
            description="Where `revstream run` takes events from: `sample`, `eventstreams`, the URL of "
            "another event stream, a file of JSON lines (plain, .gz, .bz2, .zst), or `-` for standard input."
        ),
    ] = SAMPLE
    pace_events_per_second: Annotated[
        float,
        Meta(
            description="Speed at which the sample or a file is fed; 0 is as fast as possible.", ge=0, le=1e6
        ),
    ] = 20.0
    content: Annotated[
        _Text,
        Meta(
            description="Where texts come from: `auto` (the sample's dump for the sample, else the wiki's "
            "API), `mediawiki`, or the path of an XML dump."
        ),
    ] = "auto"
    mediawiki_contact: Annotated[
        str,
        Meta(
            description="Mail address or page of whoever runs this; sent to Wikimedia, which asks for it. "
            "Needed for `eventstreams` and `mediawiki`.",
            pattern=r"^[ -~]*\Z",
        ),
    ] = ""
    mediawiki_user_agent: Annotated[
        str,
        Meta(
            description="User-Agent; `{version}` and `{contact}` are filled in.",
            pattern=r"^[ -~]+\Z",
        ),
    ] = "revstream/{version} ({contact})"
    mediawiki_url: Annotated[
        str,
        Meta(
            description="Address of a wiki's `api.php`; `{domain}` stands for the wiki's host name.",
            pattern=r"^https?://[^\s]+\Z",
        ),
    ] = "https://{domain}/w/api.php"
    mediawiki_timeout_seconds: Annotated[
        float, Meta(description="Limit for one answer of a wiki's API.", gt=0, le=600)
    ] = 30.0
    mediawiki_max_attempts: Annotated[
        int, Meta(description="Tries of one query before the wiki counts as unavailable.", ge=1, le=20)
    ] = 5
    content_wait_seconds: Annotated[
        float,
        Meta(
            description="How long an event waits in place for its text; then it is put off to a retry topic.",
            gt=0,
            le=3600,
        ),
    ] = 30.0
    wiki_pause_seconds: Annotated[
        float,
        Meta(
            description="How long a wiki that failed five times in a row is let alone between two tries.",
            gt=0,
            le=3600,
        ),
    ] = 30.0
    retry_limit: Annotated[
        int,
        Meta(description="Repetitions of an event that was put off, unless its rule says it.", ge=0, le=100),
    ] = 2
    retry_delay_seconds: Annotated[
        float, Meta(description="Wait before the first repetition, unless its rule says it.", ge=0, le=86_400)
    ] = 60.0
    retry_factor: Annotated[
        float, Meta(description="How many times longer the next one waits.", ge=1, le=100)
    ] = 6.0
    retry_give_up_seconds: Annotated[
        float,
        Meta(
            description="Time after its first failure in which an event is put off, even though its wiki is "
            "down for longer; then the failure is recorded.",
            ge=0,
            le=31_536_000,
        ),
    ] = 86_400.0
    retry_window_events: Annotated[
        int, Meta(description="Put-off events held in memory at once.", ge=1, le=100_000)
    ] = 500
    source_backlog_events: Annotated[
        int,
        Meta(
            description="Events in the embedded log, not done yet, at which its source is paused.",
            ge=1,
            le=1_000_000_000,
        ),
    ] = 20_000
    max_text_bytes: Annotated[
        int,
        Meta(
            description="Largest text that is scored; a larger one is recorded as `content_too_large`.", ge=1
        ),
    ] = 4 * 1024 * 1024
    content_cache_mb: Annotated[
        int,
        Meta(
            description="Memory (MiB) for the latest texts of pages whose events carry them, so that the "
            "parent of the next edit need not be fetched; 0 keeps none.",
            ge=0,
            le=1_048_576,
        ),
    ] = 64
    pool_processes: Annotated[
        int, Meta(description="Scoring processes; 0 is one less than the cores, at least one.", ge=0, le=1024)
    ] = 0
    scorer_niceness: Annotated[
        int,
        Meta(
            description="Added to the niceness of scoring processes, so that answers go first. At 19 they "
            "run while nobody else in the session or container wants the core; take less where there is "
            "only one.",
            ge=0,
            le=19,
        ),
    ] = 19
    score_cpu_limit_seconds: Annotated[
        int, Meta(description="CPU time of one revision before its scorer is killed.", ge=1, le=3600)
    ] = 15
    score_wall_limit_seconds: Annotated[
        float, Meta(description="Elapsed time of one revision before its scorer is killed.", gt=0, le=86400)
    ] = 60.0
    score_memory_limit_mb: Annotated[
        int,
        Meta(
            description="Memory (MiB) that one revision may take before its scorer is killed.",
            ge=16,
            le=1_048_576,
        ),
    ] = 1024
    on_demand_queue_seconds: Annotated[
        float,
        Meta(
            description="How long scoring what clients wait for may take, as estimated, before more is "
            "refused.",
            ge=0,
            le=3600,
        ),
    ] = 2.0
    on_demand_missing_seconds: Annotated[
        float,
        Meta(
            description="How long it is remembered that a wiki does not have a revision, unless an event "
            "tells of it.",
            ge=0,
            le=600,
        ),
    ] = 10.0
    client_classes: Annotated[
        dict[Annotated[str, Meta(pattern=r"^[a-z0-9_-]+\Z")], ClientSettings],
        Meta(
            description="How much is scored for clients: `[client_classes.bots]` with requests at a time "
            "(`parallel`), revisions a minute (`per_minute`), and the `tokens` or `networks` of those in it; "
            "`default` is for all others, each address apart; 0 is no limit. Given anywhere, it replaces the "
            "default as a whole.",
        ),
    ] = msgspec.field(default_factory=lambda: dict(DEFAULT_CLIENTS))
    trusted_proxies: Annotated[
        tuple[_Text, ...],
        Meta(
            description="Networks of proxies that are believed when they name a client's address in "
            "`X-Client-IP`."
        ),
    ] = ()
    window_events: Annotated[
        int,
        Meta(description="Events in flight at once, which is also what a crash repeats.", ge=1, le=10_000),
    ] = 64
    commit_interval_seconds: Annotated[
        float, Meta(description="Time between commits of offsets, tables and outputs.", gt=0, le=60)
    ] = 0.2
    log_retention_seconds: Annotated[
        float,
        Meta(
            description="How long consumed events stay in the embedded log; Kafka has limits of its own.",
            ge=0,
            le=315_360_000,
        ),
    ] = 86_400.0
    model_folders: Annotated[
        tuple[Path, ...], Meta(description="Folders of artefacts, searched before the packaged models.")
    ] = ()
    wikis: Annotated[
        dict[Annotated[str, Meta(pattern=r"^[a-z0-9_-]+\Z")], WikiSettings],
        Meta(
            description='Models of each wiki: `[wikis.enwiki.models]` with `reverted = "enwiki-reverted"`, '
            "and its `domain`. Given anywhere, it replaces the default as a whole.",
            min_length=1,
        ),
    ] = msgspec.field(default_factory=lambda: dict(DEFAULT_WIKIS))
    rules: Annotated[
        str,
        Meta(
            description="Path of a YAML file of rules, which say what events are scored by which models. "
            "Without one, every new revision is scored by all models of its wiki."
        ),
    ] = ""
    log_level: Annotated[
        Literal["debug", "info", "warning", "error"],
        Meta(description="Least level logged. Libraries: from `warning` on; with `debug`, from `info` on."),
    ] = "info"
    log_format: Annotated[
        Literal["auto", "json", "console"],
        Meta(description="Log lines: `auto` is `console` on a terminal and `json` elsewhere."),
    ] = "auto"
    traces: Annotated[
        Literal["off", "otlp"],
        Meta(
            description="Whether to send traces of events and requests by OTLP, as OpenTelemetry's own "
            "variables say (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER` …). Needs the extra `otel`."
        ),
    ] = "off"
    shutdown_delay_seconds: Annotated[
        float,
        Meta(
            description="How long look-ups are still answered after a signal to end, while `/readyz` says "
            "503 and each answer closes its connection: what a balancer takes to send requests elsewhere.",
            ge=0,
            le=600,
        ),
    ] = 0.0
    shutdown_timeout_seconds: Annotated[
        float, Meta(description="Limit for finishing events in flight and requests at the end.", gt=0, le=600)
    ] = 10.0

    @property
    def is_embedded(self) -> bool:
        """Tell whether the embedded engine is configured."""
        return self.broker.startswith(EMBEDDED_SCHEME)

    @property
    def log_path(self) -> Path:
        """Return the file of the embedded log, whether or not it is the engine in use."""
        path = self.broker.removeprefix(EMBEDDED_SCHEME) if self.is_embedded else ""
        return Path(path).expanduser() if path else self.data_dir / LOG_NAME

    @property
    def broker_url(self) -> str:
        """Return the broker as Faust takes it: absolute path, or each Kafka broker with its scheme."""
        if self.is_embedded:
            return f"{EMBEDDED_SCHEME}{self.log_path.absolute()}"
        return ";".join(KAFKA_SCHEME + address for address in self.kafka_addresses)

    @property
    def kafka_addresses(self) -> tuple[str, ...]:
        """Return ``host:port`` of each Kafka broker; empty on the embedded engine."""
        if self.is_embedded:
            return ()
        return tuple(self.broker.removeprefix(KAFKA_SCHEME).split(","))

    @property
    def ores_legacy_scores(self) -> int | None:
        """Return what one request to ores-legacy may ask for; None where ORES answers."""
        return self.ores_legacy_scores_most if self.ores_paths == "ores-legacy" else None

    @property
    def lock_path(self) -> Path:
        """Return the file that the one worker of this data directory holds locked."""
        return self.data_dir / LOCK_NAME

    @property
    def scorer_count(self) -> int:
        """Return the number of scoring processes, at least 1."""
        return self.pool_processes or max(1, (os.cpu_count() or 1) - 1)

    @property
    def content_kind(self) -> str:
        """Return where texts come from with ``auto`` resolved: ``sample``, ``mediawiki``, or a path."""
        if self.content != "auto":
            return self.content
        return SAMPLE if self.is_embedded and self.source == SAMPLE else MEDIAWIKI

    @property
    def asks_wikimedia(self) -> bool:
        """Tell whether a wiki's API or Wikimedia's streams are asked, for which a contact must be set."""
        follows = self.is_embedded and (self.source == EVENTSTREAMS or "://" in self.source)
        return follows or self.content_kind == MEDIAWIKI

    @property
    def user_agent(self) -> str:
        """Return what to send to Wikimedia as User-Agent.

        Raises:
            SettingsError: It is to name a contact and none is set.
        """
        if "{contact}" in self.mediawiki_user_agent and not self.mediawiki_contact.strip():
            raise SettingsError(
                "No contact is set, and Wikimedia asks clients of its streams and APIs to name one. "
                "Set mediawiki_contact to a mail address or a page: --mediawiki-contact you@example.org, "
                "REVSTREAM_MEDIAWIKI_CONTACT, or the file.",
                setting="mediawiki_contact",
            )
        return self.mediawiki_user_agent.replace("{version}", version("revstream")).replace(
            "{contact}", self.mediawiki_contact.strip()
        )
