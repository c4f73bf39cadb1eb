"""Who may call the API, as the settings say."""

from __future__ import annotations

from helmbroker.broker.api.auth import logins
from helmbroker.broker.api.auth.admin import Admins
from helmbroker.broker.api.auth.basic import BasicUsers
from helmbroker.broker.api.auth.bearer import BearerTokens
from helmbroker.broker.api.auth.certificates import ClientCertificates
from helmbroker.broker.api.auth.chain import Authentication, Method
from helmbroker.broker.settings import CannotStart, Settings


def authentication(settings: Settings) -> Authentication:
    """All ways to log in that are set up. Raises CannotStart when there is none, or a file of logins is broken."""
    platform = logins.LoginFile(settings.platform_file, logins.plain)
    users = logins.LoginFile(settings.users_file, logins.hashed)
    tokens = logins.LoginFile(settings.tokens_file, logins.hashed)
    _check(platform, users, tokens)
    made = Authentication(
        [BasicUsers([platform, users]), BearerTokens(tokens), *_oidc(settings), *_certificates(settings)]
    )
    if not made.challenges():
        raise CannotStart(
            f"nobody could log in: {settings.platform_file} is missing or empty, and there is no other login; "
            "`helmbroker init` makes one"
        )
    return made


def admins(settings: Settings, platforms: Authentication) -> Admins:
    """Who may use /admin, and who may look at it and /metrics. Raises CannotStart as `authentication` does."""
    admins, watchers = (
        logins.LoginFile(path, logins.hashed) for path in (settings.admins_file, settings.watchers_file)
    )
    _check(admins, watchers)
    return Admins(BearerTokens(admins), BearerTokens(watchers), platforms)


def _check(*files: logins.LoginFile) -> None:
    """A file that is there has to be whole. Raises CannotStart."""
    for file in files:
        try:
            if file.path.exists():
                file.read()
        except logins.LoginsError as error:
            raise CannotStart(str(error)) from None


def _oidc(settings: Settings) -> list[Method]:
    """JWTs of an OpenID provider, when one is set up. Asks it for nothing yet. Raises CannotStart."""
    if settings.oidc_issuer is None or settings.oidc_audience is None:
        return []
    if settings.oidc_ca_file is not None and not settings.oidc_ca_file.is_file():
        raise CannotStart(f"there is no file {settings.oidc_ca_file}; set HELMBROKER_OIDC_CA_FILE")
    from helmbroker.broker.api.auth.jwks import ProviderKeys  # noqa: PLC0415  # heavy, and most do without
    from helmbroker.broker.api.auth.oidc import OidcTokens, Rules  # noqa: PLC0415

    rules = Rules(
        issuer=settings.oidc_issuer,
        audience=settings.oidc_audience,
        algorithms=tuple(settings.oidc_algorithms.split(",")),
        name_claim=settings.oidc_name_claim,
        claims={name: value for name, _, value in (each.partition("=") for each in _words(settings.oidc_claims))},
        leeway_s=settings.oidc_leeway_s,
    )
    return [OidcTokens(rules, ProviderKeys(rules.issuer, settings.oidc_jwks_url, settings.oidc_ca_file))]


def _certificates(settings: Settings) -> list[Method]:
    """Certificates of clients, when some of them are logins."""
    subjects = frozenset(_words(settings.tls_client_subjects))
    return [ClientCertificates(subjects)] if subjects else []


def _words(text: str) -> list[str]:
    """What stands between the commas of a setting."""
    return [each.strip() for each in text.split(",") if each.strip()]
