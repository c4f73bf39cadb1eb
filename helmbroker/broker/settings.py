"""Settings of the broker, from environment variables HELMBROKER_*; read once, passed down as values."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from helmbroker.catalog.model import Legacy
from helmbroker.runtime.environment import Variables
from helmbroker.runtime.listening import Tls, address

_ALGORITHM = "((RS|PS|ES)(256|384|512)|EdDSA)"


class CannotStart(Exception):
    """A sentence for the operator: what is wrong with the set-up, and the cure."""


class Settings(Variables):
    """Each field is the variable HELMBROKER_<FIELD>. Times in seconds."""

    prefix: ClassVar[str] = "HELMBROKER_"

    data_dir: Path = Field(default=Path("helmbroker-data"), description="database, key ring, users; made by `init`")
    database_url: str | None = Field(
        default=None, repr=False, description="postgresql://... ; without it SQLite in the data directory"
    )
    database_url_file: Path | None = Field(
        default=None,
        description="one line, the URL of the database: a password in a variable can be read in every process",
    )
    key_ring_file: Path | None = Field(
        default=None, description="the key ring, in a mounted Secret for example; without it in the data directory"
    )
    logins_dir: Path | None = Field(
        default=None,
        description="folder of the files of logins, a mounted Secret for example; without it the data directory",
    )
    addons_dir: Path = Field(
        default=Path("addons"), description="folder of addon folders; beside SOURCES_FILE only when it is set"
    )
    sources_file: Path | None = Field(default=None, description="YAML: where addons come from, beside that folder")
    catalog_refresh_s: float = Field(
        default=600, ge=10, description="how often all sources are looked at; they are also on SIGHUP and by /admin"
    )
    overrides_file: Path | None = Field(
        default=None, description="YAML: addon name -> Helm values that win over plans and users"
    )
    legacy_open_parameters: str = Field(
        default="",
        description="addons of Drycc or Kyma, by name, with commas: what nobody has allowed may be set as well",
    )
    legacy_hooks: str = Field(
        default="",
        pattern=r"^\s*([A-Za-z0-9.-]+=[\w./:@-]+\s*(,\s*|$))*$",
        description="addons of Drycc, name=image with commas: the hooks of their plans run as Jobs, in that image",
    )
    grants_file: Path | None = Field(
        default=None, description="YAML: addon name -> what its charts may do beyond what all may"
    )
    tenants_file: Path | None = Field(
        default=None,
        description="YAML: what platforms say of instances -> the service account in whose name charts are applied",
    )
    instance_namespace: str = Field(
        default="helmbroker-instances",
        pattern="^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$",
        description="the namespace in which instances live",
    )
    listen: str = Field(default="127.0.0.1:8080", description="host:port of the API")
    tls_certificate_file: Path | None = Field(
        default=None, description="PEM; with the key: serve https. Renewed files are shown without a restart"
    )
    tls_key_file: Path | None = Field(default=None, description="PEM")
    tls_client_ca_file: Path | None = Field(
        default=None, description="PEM; clients may show a certificate that it vouches for"
    )
    tls_client_required: bool = Field(
        default=False, description="refuse connections without such a certificate, probes too"
    )
    tls_client_subjects: str = Field(
        default="",
        pattern=r"^((CN|DNS|URI):[^,]+(,\s*(CN|DNS|URI):[^,]+)*)?$",
        description="whose certificate is a login: CN:name, DNS:name or URI:name, with commas",
    )
    helm: str = Field(default="helm", description="the helm program, by name or path")
    kubeconfig: str | None = Field(default=None, description="instead of KUBECONFIG or the pod's account")
    worker_listen: str | None = Field(
        default=None,
        description="host:port on which the worker answers /healthz, /readyz and /metrics; by default nowhere",
    )
    concurrency: int = Field(default=8, ge=1, le=64, description="operations at the same time, per worker")
    lease_s: float = Field(
        default=60,
        ge=5,
        le=600,
        description="how long the operations of a killed worker wait before another one takes them over",
    )
    concurrency_total: int | None = Field(
        default=None,
        ge=1,
        description="operations at the same time, over all workers; by default no limit",
    )
    keep_operations_s: float = Field(
        default=2592000,
        ge=604800,
        description="how long what has ended is kept: operations, what is known of deleted instances and bindings, "
        "addon revisions that nothing uses",
    )
    drift_check_s: float = Field(
        default=3600,
        ge=60,
        description="how often records are compared with the cluster; differences are told by `helmbroker doctor`",
    )
    stuck_after_s: float = Field(
        default=120, ge=1, description="how long a hopeless pod (image, scheduling, crashes) is waited for"
    )
    oidc_issuer: str | None = Field(
        default=None,
        pattern="^https?://[^/@?#]+[^@?#]*$",
        description="OpenID provider whose JWTs are accepted as bearer tokens; needs OIDC_AUDIENCE",
    )
    oidc_audience: str | None = Field(default=None, description="the audience that its tokens must have")
    oidc_jwks_url: str | None = Field(
        default=None, pattern="^https?://[^@]+$", description="where its keys are, instead of discovery"
    )
    oidc_ca_file: Path | None = Field(
        default=None, description="PEM; vouches for the provider, instead of the usual authorities"
    )
    oidc_algorithms: str = Field(
        default="RS256,ES256",
        pattern=f"^{_ALGORITHM}(,{_ALGORITHM})*$",
        description="signatures that are accepted, with commas; symmetric ones cannot be",
    )
    oidc_name_claim: str = Field(default="sub", min_length=1, description="the claim that names the caller in logs")
    oidc_claims: str = Field(
        default="",
        pattern="^([^=,]+=[^,]+(,[^=,]+=[^,]+)*)?$",
        description="claims that tokens must have: name=value,...; of a list one element",
    )
    oidc_leeway_s: float = Field(default=30, ge=0, le=300, description="how far clocks may differ")
    drain_s: float = Field(
        default=0,
        ge=0,
        le=120,
        description="how long the API serves on after SIGTERM while /readyz says 503, for load balancers to leave",
    )
    missing_version_status: Literal["400", "412"] = Field(
        default="400",
        description="the answer to requests without X-Broker-API-Version; 412 for checkers older than OSB 2.16",
    )
    bind_wait_s: float = Field(
        default=50,
        ge=1,
        le=58,
        description="how long a bind or unbind without accepts_incomplete waits",
    )
    max_waiting: int = Field(
        default=50,
        ge=1,
        le=500,
        description="how many binds and unbinds may wait so at the same time, per API process; more are told to "
        "come back",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="how much is logged: debug, info, warning or error"
    )

    @field_validator("listen", "worker_listen")
    @classmethod
    def _host_and_port(cls, value: str | None) -> str | None:
        try:
            address(value or "localhost:0")
        except ValueError as error:
            raise PydanticCustomError("listen", "{why}", {"why": str(error)}) from None
        return value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("postgresql://", "sqlite:////")):
            raise PydanticCustomError(
                "database_url", "must be postgresql://user:password@host/name or sqlite:////path/to/file"
            )
        return value

    @model_validator(mode="after")
    def _one_database(self) -> Settings:
        if self.database_url is not None and self.database_url_file is not None:
            raise PydanticCustomError(
                "database_url", "HELMBROKER_DATABASE_URL and HELMBROKER_DATABASE_URL_FILE: set one of them"
            )
        return self

    @model_validator(mode="after")
    def _whole_tls(self) -> Settings:
        if (self.tls_certificate_file is None) != (self.tls_key_file is None):
            raise PydanticCustomError(
                "tls", "HELMBROKER_TLS_CERTIFICATE_FILE and HELMBROKER_TLS_KEY_FILE: set both or neither"
            )
        if self.tls_client_ca_file is not None and self.tls_certificate_file is None:
            raise PydanticCustomError(
                "tls", "HELMBROKER_TLS_CLIENT_CA_FILE needs HELMBROKER_TLS_CERTIFICATE_FILE and ..._KEY_FILE"
            )
        if (self.tls_client_subjects or self.tls_client_required) and self.tls_client_ca_file is None:
            raise PydanticCustomError(
                "tls", "HELMBROKER_TLS_CLIENT_SUBJECTS and ..._REQUIRED need HELMBROKER_TLS_CLIENT_CA_FILE"
            )
        return self

    @model_validator(mode="after")
    def _whole_oidc(self) -> Settings:
        if (self.oidc_issuer is None) != (self.oidc_audience is None):
            raise PydanticCustomError(
                "oidc", "HELMBROKER_OIDC_ISSUER and HELMBROKER_OIDC_AUDIENCE: set both or neither"
            )
        return self

    @property
    def legacy(self) -> Legacy:
        """What addons of other brokers' formats may do, and no native one may."""
        open_parameters = (name.strip() for name in self.legacy_open_parameters.split(","))
        hooks = (pair.strip().partition("=") for pair in self.legacy_hooks.split(",") if pair.strip())
        return Legacy(
            open_parameters=frozenset(filter(None, open_parameters)),
            hooks={name: image for name, _, image in hooks},
        )

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of `listen`."""
        return address(self.listen)

    @property
    def tls(self) -> Tls | None:
        """How to serve https, when certificate and key are given."""
        if self.tls_certificate_file is None or self.tls_key_file is None:
            return None
        return Tls(self.tls_certificate_file, self.tls_key_file, self.tls_client_ca_file, self.tls_client_required)

    @property
    def url(self) -> str:
        """The database's URL. Raises UnusableDatabase, OSError: not with the file that was given."""
        if self.database_url_file is not None:
            from helmbroker.database import url_in  # noqa: PLC0415  # heavy

            return url_in(self.database_url_file)
        return self.database_url or f"sqlite:///{(self.data_dir / 'helmbroker.db').absolute()}"

    @property
    def keys_file(self) -> Path:
        """The key ring."""
        return self.key_ring_file or self.data_dir / "keys.json"

    @property
    def _logins(self) -> Path:
        return self.logins_dir or self.data_dir

    @property
    def platform_file(self) -> Path:
        """One line `user:password`, as `init` makes it: how the platform logs in."""
        return self._logins / "platform-credentials"

    @property
    def users_file(self) -> Path:
        """Lines `user:SHA-256 of the password`: more users."""
        return self._logins / "users"

    @property
    def admins_file(self) -> Path:
        """Lines `name:SHA-256 of the token`: who may do everything in /admin, and look at /metrics."""
        return self._logins / "admins"

    @property
    def watchers_file(self) -> Path:
        """Lines `name:SHA-256 of the token`: who may look at /admin and /metrics, and do nothing."""
        return self._logins / "watchers"

    @property
    def tokens_file(self) -> Path:
        """Lines `name:SHA-256 of the token`: bearer tokens."""
        return self._logins / "tokens"
