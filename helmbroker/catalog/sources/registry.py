"""A client of OCI registries (distribution specification 1.1): what is read of them, and what is pushed."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

from helmbroker.catalog.sources.model import Access, Reason, SourceError
from helmbroker.catalog.sources.references import Reference
from helmbroker.catalog.sources.web import Answer, Web, check_transport, loopback, refusal, shown

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_ACCEPTED = f"{MANIFEST}, application/vnd.docker.distribution.manifest.v2+json"
MAX_MANIFEST_BYTES = 4 << 20
_MAX_PAGES = 20
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')
_NEXT = re.compile(r'<([^>]+)>;\s*rel="?next"?')


@dataclass(frozen=True)
class Manifest:
    """A manifest and the digest of its bytes (sha256:...)."""

    digest: str
    document: Mapping[str, Any]

    def layers(self, media_type: str) -> list[Mapping[str, Any]]:
        """Descriptors of the layers of this type."""
        layers = self.document.get("layers")
        found = [each for each in layers if isinstance(each, dict)] if isinstance(layers, list) else []
        return [each for each in found if each.get("mediaType") == media_type]


class Registry:
    """One repository in one registry."""

    def __init__(self, access: Access, reference: Reference) -> None:
        self._access, self._host, self._repository = access, reference.host, reference.repository
        plain = access.insecure or (
            access.insecure is None and loopback(urlsplit(f"//{self._host}").hostname or "")
        )
        self._tls = not (plain and access.ca_file is None)
        self._base = f"{'https' if self._tls else 'http'}://{self._host}/v2/{self._repository}/"
        self._web = Web(access, self._base)
        self._authorization: dict[str, str] = {}

    def manifest(self, name: str) -> Manifest | None:
        """By tag or digest; None: there is none. Raises SourceError: also when it is not what the digest says."""
        answer = self._call(
            "GET", f"manifests/{name}", headers={"Accept": _ACCEPTED}, most=MAX_MANIFEST_BYTES, scope="pull"
        )
        if answer.status == 404:
            return None
        self._check(answer, 200, f"manifests/{name}")
        digest = sha256(answer.body)
        if name.startswith("sha256:") and digest != name:
            raise SourceError(Reason.DIGEST, f"{self._named(name)}: the registry sent {digest}")
        try:
            document = json.loads(answer.body)
        except (ValueError, RecursionError):
            document = None
        if not isinstance(document, dict):
            raise SourceError(Reason.FETCHING, f"{self._named(name)}: the manifest is no JSON object")
        return Manifest(digest, document)

    def blob(self, descriptor: Mapping[str, Any], *, most: int) -> bytes:
        """What a descriptor names. Raises SourceError: larger than `most` bytes, or not of that digest and size."""
        digest, size = descriptor.get("digest"), descriptor.get("size")
        if not isinstance(digest, str) or not re.fullmatch("sha256:[0-9a-f]{64}", digest):
            raise SourceError(Reason.FETCHING, f"{self._named('')}: a layer is named by no sha256 digest")
        if not isinstance(size, int) or size > most:
            raise SourceError(Reason.FETCHING, f"{self._named(digest)}: has more than {most} bytes, or of no size")
        answer = self._call("GET", f"blobs/{digest}", most=size, scope="pull")
        self._check(answer, 200, f"blobs/{digest}")
        if sha256(answer.body) != digest:
            raise SourceError(Reason.DIGEST, f"{self._named(digest)}: the registry sent something else")
        return answer.body

    def tags(self) -> list[str]:
        """All tags, as far as 20 pages of them go. Raises SourceError."""
        found: list[str] = []
        url = urljoin(self._base, "tags/list?n=1000")
        for _ in range(_MAX_PAGES):
            answer = self._call("GET", url, most=MAX_MANIFEST_BYTES, scope="pull")
            self._check(answer, 200, "tags/list")
            try:
                found += [str(tag) for tag in json.loads(answer.body)["tags"] or ()]
            except (ValueError, KeyError, TypeError, RecursionError):
                raise SourceError(Reason.FETCHING, f"{self._named('')}: its list of tags is not one") from None
            following = _NEXT.match(answer.headers.get("Link", ""))
            if following is None:
                break
            url = urljoin(url, following[1])
        return found

    def push_blob(self, content: bytes, media_type: str) -> dict[str, Any]:
        """Its descriptor. Raises SourceError."""
        digest = sha256(content)
        if self._call("HEAD", f"blobs/{digest}", scope="pull,push").status != 200:
            begun = self._call("POST", "blobs/uploads/", body=b"", scope="pull,push")
            self._check(begun, 202, "blobs/uploads/")
            target = urljoin(self._base, begun.headers.get("Location", ""))
            target += ("&" if urlsplit(target).query else "?") + urlencode({"digest": digest})
            kind = {"Content-Type": "application/octet-stream"}
            self._check(
                self._call("PUT", target, body=content, headers=kind, scope="pull,push"), 201, "blobs/uploads/"
            )
        return {"mediaType": media_type, "digest": digest, "size": len(content)}

    def push_manifest(self, document: Mapping[str, Any], tag: str) -> str:
        """Its digest. Raises SourceError."""
        content = json.dumps(document, separators=(",", ":"), sort_keys=True).encode()
        answer = self._call(
            "PUT", f"manifests/{tag}", body=content, headers={"Content-Type": MANIFEST}, scope="pull,push"
        )
        self._check(answer, 201, f"manifests/{tag}")
        return sha256(content)

    def _call(
        self,
        method: str,
        path: str,
        *,
        scope: str,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        most: int = 1 << 20,
    ) -> Answer:
        """One request; when it is challenged, log in as the registry says, and once more."""
        url = urljoin(self._base, path)
        sent = {**self._authorization, **(headers or {})}
        answer = self._web.call(method, url, headers=sent, body=body, most=most)
        if answer.status != 401:
            return answer
        self._authorization = self._log_in(answer.headers.get("WWW-Authenticate", ""), scope)
        return self._web.call(method, url, headers={**sent, **self._authorization}, body=body, most=most)

    def _log_in(self, challenge: str, scope: str) -> dict[str, str]:
        kind, _, rest = challenge.partition(" ")
        login = self._login()
        basic = {"Authorization": f"Basic {login}"} if login else {}
        if kind.lower() != "bearer":
            return basic
        given = dict(_PARAMETER.findall(rest))
        realm = given.get("realm", "")
        # the login is shown to whom the registry names, but never without TLS where the registry has it
        check_transport(realm, self._access.insecure if not self._tls else False)
        asked = {"service": given.get("service", ""), "scope": f"repository:{self._repository}:{scope}"}
        answer = Web(self._access, realm).get(f"{realm}?{urlencode(asked)}", most=1 << 20, headers=basic)
        self._check(answer, 200, realm)
        try:
            document = json.loads(answer.body)
            token = str(document.get("token") or document["access_token"])
        except (ValueError, KeyError, AttributeError, RecursionError):
            raise SourceError(Reason.FETCHING, f"{shown(realm)}: answers without a token") from None
        return {"Authorization": f"Bearer {token}"} if token.isprintable() else {}

    def _login(self) -> str | None:
        """base64 of user:password."""
        if self._access.login is not None:
            return base64.b64encode(self._access.login.encode()).decode()
        path = self._access.pull_secret_file
        return None if path is None else pull_secret(path, self._host)

    def _check(self, answer: Answer, status: int, path: str) -> None:
        if answer.status != status:
            raise SourceError(Reason.FETCHING, refusal(urljoin(self._base, path), answer.status))

    def _named(self, name: str) -> str:
        separator = "@" if name.startswith("sha256:") else ":" if name else ""
        return f"oci://{self._host}/{self._repository}{separator}{name}"


def sha256(content: bytes) -> str:
    """As registries write it."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def pull_secret(path: Path, host: str) -> str | None:
    """base64 of user:password for a host, from docker's config.json; None: it has none. Raises SourceError."""
    try:
        given = json.loads(path.read_text("utf-8"))["auths"].get(host)
        if given is None:
            return None
        text = base64.b64decode(given["auth"]).decode() if given.get("auth") else None
        return base64.b64encode((text or f"{given['username']}:{given['password']}").encode()).decode()
    except (OSError, ValueError, KeyError, TypeError, AttributeError, binascii.Error, RecursionError):
        raise SourceError(
            Reason.FETCHING,
            f'{path} is no pull secret of docker: {{"auths": {{"{host}": {{"auth": "..."}}}}}}',
        ) from None
