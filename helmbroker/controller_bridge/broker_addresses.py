"""Which service brokers there are: the one of the settings' own variables, and those of a file."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from helmbroker.controller_bridge.broker_port import DEFAULT, EXTERNAL
from helmbroker.controller_bridge.settings import BROKER_URL, PREFIX, Settings, SetupError

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_VARIABLE = f"{PREFIX}BROKERS_FILE"


class Address(BaseModel):
    """Where one broker is, and how to log in: by a line of credentials, a client certificate, or both."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str = Field(pattern=BROKER_URL)
    credentials_file: Path | None = None
    ca_file: Path | None = None
    client_certificate_file: Path | None = None
    client_key_file: Path | None = None
    timeout_s: float = Field(default=30, gt=0, le=120)

    @model_validator(mode="after")
    def _whole(self) -> Address:
        if (self.client_certificate_file is None) != (self.client_key_file is None):
            raise PydanticCustomError("tls", "client_certificate_file and client_key_file: set both or neither")
        if self.client_certificate_file is not None and not self.url.startswith("https:"):
            raise PydanticCustomError("tls", "a client certificate is shown over https alone: mend the url")
        if self.credentials_file is None and self.client_certificate_file is None:
            raise PydanticCustomError(
                "login", "there is no login: set credentials_file, or a client certificate and its key"
            )
        return self


def addresses(settings: Settings) -> dict[str, Address]:
    """All brokers by name, that of the variables as `default`. Raises SetupError."""
    named = "broker_credentials_file" in settings.model_fields_set
    certificate = settings.broker_client_certificate_file
    try:
        first = Address(
            url=settings.broker_url,
            credentials_file=settings.broker_credentials_file if named or certificate is None else None,
            ca_file=settings.broker_ca_file,
            client_certificate_file=certificate,
            client_key_file=settings.broker_client_key_file,
            timeout_s=settings.broker_timeout_s,
        )
    except ValidationError as error:
        raise SetupError(f"the variables {PREFIX}BROKER_...: {_wrong(error)}") from None
    return {DEFAULT: first} | ({} if settings.brokers_file is None else _read(settings.brokers_file))


def _read(path: Path) -> dict[str, Address]:
    try:
        given = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)
    except OSError as error:
        raise _fault(path, f"cannot be read ({error.strerror})") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise _fault(path, f"is not YAML{f' (line {mark.line + 1})' if mark else ''}") from None
    if not isinstance(given, Mapping) or not given:
        raise _fault(path, "has to be a mapping of brokers by name, each with a url and a login")
    return {str(name): _address(path, name, value) for name, value in given.items()}


def _address(path: Path, name: object, value: object) -> Address:
    if not (isinstance(name, str) and _NAME.fullmatch(name)):
        raise _fault(path, f"calls a broker {name!r}: use a-z, 0-9 and hyphens, at most 63")
    if name in (DEFAULT, EXTERNAL):
        raise _fault(path, f"calls a broker {name!r}, which is the bridge's own word: choose another name")
    try:
        return Address.model_validate(value)
    except ValidationError as error:
        raise _fault(path, f"is wrong about the broker {name}: {_wrong(error)}") from None


def _wrong(error: ValidationError) -> str:
    return "; ".join(": ".join((*map(str, each["loc"]), each["msg"])) for each in error.errors())


def _fault(path: Path, what: str) -> SetupError:
    return SetupError(f"{path} of {_VARIABLE} {what}")
