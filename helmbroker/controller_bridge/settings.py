"""Settings of the platform side, from environment variables HELMBROKER_BRIDGE_*; read once, passed as values."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from helmbroker.runtime.environment import Variables
from helmbroker.runtime.listening import Tls, address

PREFIX = "HELMBROKER_BRIDGE_"
BROKER_URL = "^https?://[^/@?#]+[^@?#]*$"  # without any login
LONGEST_GRACE_S = 900.0


class SetupError(Exception):
    """What is wrong with the set-up, and the cure: a sentence for the operator, without any secret."""


class Settings(Variables):
    """Each field is the variable HELMBROKER_BRIDGE_<FIELD>. Times in seconds."""

    prefix: ClassVar[str] = PREFIX

    data_dir: Path = Field(
        default=Path("helmbroker-bridge-data"), description="database, keys, tokens; made by `init`"
    )
    database_url: str | None = Field(
        default=None, repr=False, description="postgresql://...; without it SQLite in the data directory"
    )
    database_url_file: Path | None = Field(
        default=None,
        description="one line, the URL of the database: a password in a variable can be read in every process",
    )
    key_ring_file: Path | None = Field(
        default=None, description="the key ring, in a mounted Secret for example; without it in the data directory"
    )
    broker_url: str = Field(default="http://127.0.0.1:8080", pattern=BROKER_URL, description="the service broker")
    broker_credentials_file: Path = Field(
        default=Path("helmbroker-data/platform-credentials"),
        description="one line, user:password or Bearer TOKEN; with a client certificate there is none by default",
    )
    broker_ca_file: Path | None = Field(default=None, description="PEM; instead of the usual authorities")
    broker_client_certificate_file: Path | None = Field(
        default=None, description="PEM; with the key: shown to a broker that asks clients for certificates"
    )
    broker_client_key_file: Path | None = Field(default=None, description="PEM, without a passphrase")
    broker_timeout_s: float = Field(default=30, gt=0, le=120, description="wait for one answer of the broker")
    brokers_file: Path | None = Field(
        default=None,
        description="YAML: more service brokers, name -> url, credentials_file, ca_file, client_certificate_file, "
        "client_key_file, timeout_s",
    )
    cluster_id: str = Field(
        default="default", min_length=1, max_length=63, description="what the broker gets to know as clusterid"
    )
    listen: str = Field(default="127.0.0.1:8081", description="host:port of the API")
    worker_listen: str | None = Field(
        default=None,
        description="host:port on which the worker, or `watch`, answers /healthz, /readyz and /metrics; by default "
        "nowhere",
    )
    metrics_token_file: Path | None = Field(
        default=None,
        description="one line, the bearer token for /metrics of the API; without it there are no metrics there",
    )
    tls_certificate_file: Path | None = Field(default=None, description="PEM; with the key: serve https")
    tls_key_file: Path | None = Field(default=None, description="PEM")
    kubeconfig: str | None = Field(default=None, description="instead of KUBECONFIG or the pod's account")
    watch_namespaces: str | None = Field(
        default=None,
        pattern="^[a-z0-9-]+(,[a-z0-9-]+)*$",
        description="namespaces, with commas between, whose bindings `watch` looks after; without it all",
    )
    watch_resync_s: float = Field(
        default=300, ge=10, le=3600, description="how often `watch` looks at everything, changed or not"
    )
    concurrency: int = Field(default=8, ge=1, le=64, description="operations at the same time")
    lease_s: float = Field(
        default=60,
        ge=10,
        le=600,
        description="how long the operations of a killed worker wait before another one takes them over",
    )
    drain_s: float = Field(
        default=0,
        ge=0,
        le=120,
        description="how long the API serves on after SIGTERM while /readyz says 503, for load balancers to leave",
    )
    rotation_grace_s: float = Field(
        default=30,
        ge=0,
        le=LONGEST_GRACE_S,
        description="how long old credentials stay valid after all of an app runs with new ones",
    )
    platform: Literal["standalone", "kubernetes", "drycc"] = Field(
        default="standalone",
        description="who knows the users: `drycc`, the controller, which also runs the apps; `kubernetes`, the "
        "cluster; `standalone`, a file of tokens beside the database, for a demonstration",
    )
    drycc_controller_url: str | None = Field(
        default=None, pattern="^https?://[^/@?#]+[^@?#]*$", description="the Drycc controller, without /v2"
    )
    drycc_ca_file: Path | None = Field(default=None, description="PEM; instead of the usual authorities")
    drycc_token_file: Path | None = Field(
        default=None,
        description="one line, the token of a staff user of the controller: the bridge works after users have left",
    )
    drycc_requests_per_minute: int = Field(
        default=60,
        ge=20,
        le=6000,
        description="what the controller allows one user (DRYCC_CONTROLLER_THROTTLE_RATES_USER there); all "
        "processes of the bridge share it",
    )
    drycc_poll_s: float = Field(
        default=900,
        ge=60,
        le=86400,
        description="how often an app is looked at of which no deploy hook tells",
    )
    drycc_gone_grace_s: float = Field(
        default=86400,
        ge=3600,
        description="how long the controller must not know an app before its resources are removed",
    )
    drycc_hook_url: str | None = Field(
        default=None,
        pattern="^https?://[^/@?#]+/.*$",
        description="this bridge's /v2/hooks/deploy/, exactly as DRYCC_DEPLOY_HOOK_URLS of the controller has it",
    )
    drycc_hook_key_file: Path | None = Field(
        default=None, description="one line, DRYCC_DEPLOY_HOOK_SECRET_KEY of the controller"
    )
    rotations_at_once: int = Field(
        default=4,
        ge=1,
        le=64,
        description="with so many rotations going on, the schedule begins no more: what is due waits",
    )
    keep_operations_s: float = Field(
        default=2592000, ge=604800, description="how long operations that have ended and deleted resources are kept"
    )
    keep_app_releases: int = Field(
        default=50, ge=2, le=1000, description="how many releases of an app are kept; one can go back to no others"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="how much is logged: debug, info, warning or error"
    )

    @field_validator("listen", "worker_listen")
    @classmethod
    def _host_and_port(cls, value: str | None) -> str | None:
        if value is not None:
            address(value)
        return value

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of `listen`."""
        return address(self.listen)

    @model_validator(mode="after")
    def _one_database(self) -> Settings:
        if self.database_url is not None and self.database_url_file is not None:
            raise ValueError(f"{PREFIX}DATABASE_URL and {PREFIX}DATABASE_URL_FILE: set one of them")
        return self

    @model_validator(mode="after")
    def _whole_tls(self) -> Settings:
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise ValueError(f"{PREFIX}TLS_CERTIFICATE_FILE and {PREFIX}TLS_KEY_FILE: set both or neither")
        return self

    @model_validator(mode="after")
    def _whole_drycc(self) -> Settings:
        if self.platform == "drycc" and (self.drycc_controller_url is None or self.drycc_token_file is None):
            raise ValueError(
                f"{PREFIX}PLATFORM is drycc: set {PREFIX}DRYCC_CONTROLLER_URL and {PREFIX}DRYCC_TOKEN_FILE"
            )
        if (self.drycc_hook_url is None) != (self.drycc_hook_key_file is None):
            raise ValueError(f"{PREFIX}DRYCC_HOOK_URL and {PREFIX}DRYCC_HOOK_KEY_FILE: set both or neither")
        return self

    @property
    def own_users(self) -> bool:
        """Whether users are in the bridge's file of tokens."""
        return self.platform == "standalone"

    @property
    def tls(self) -> Tls | None:
        """Certificate and key, when both are given."""
        if self.tls_certificate_file is None or self.tls_key_file is None:
            return None
        return Tls(self.tls_certificate_file, self.tls_key_file)

    @property
    def own_database(self) -> bool:
        """Whether the database is a file in the data directory."""
        return self.database_url is None and self.database_url_file is None

    @property
    def url(self) -> str:
        """The database's URL. Raises UnusableDatabase, OSError: not with the file that was given."""
        if self.database_url_file is not None:
            from helmbroker.database import url_in  # noqa: PLC0415  # heavy

            return url_in(self.database_url_file)
        return self.database_url or f"sqlite:///{(self.data_dir / 'bridge.db').absolute()}"

    @property
    def keys_file(self) -> Path:
        """The key ring that seals options."""
        return self.key_ring_file or self.data_dir / "keys.json"

    @property
    def tokens_file(self) -> Path:
        """Digests of the tokens that may call the API."""
        return self.data_dir / "tokens.json"

    @property
    def admin_token_file(self) -> Path:
        """The first token, as `init` makes it."""
        return self.data_dir / "admin-token"
