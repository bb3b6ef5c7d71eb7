"""Links that are sent by mail: derived from their id whenever needed, stored only as a hash."""

import base64
import binascii
import hmac
from uuid import UUID

from pydantic import AwareDatetime, BaseModel

from services.auth import store
from services.auth.master_key import MasterKey
from services.auth.records import Link
from services.auth.secret_hashes import hash_secret
from shared.chassis.database import Executor

_ID_BYTES = 16
_MAC_BYTES = 32


class LinkTokens:
    """Makes the token of a link from its id by a MAC, so that no token has to be stored.

    Whoever reads the database finds ids and hashes, from which no token can be made.
    """

    def __init__(self, master_key: MasterKey) -> None:
        self._key = master_key.derive("link")

    def token(self, purpose: str, link_id: UUID) -> str:
        """Return the token that stands behind `#token=` in the mail."""
        return base64.urlsafe_b64encode(link_id.bytes + self._mac(purpose, link_id)).decode()

    def hash(self, purpose: str, link_id: UUID) -> bytes:
        """Return what is stored of the token."""
        return hash_secret(link_id.bytes + self._mac(purpose, link_id))

    def code(self, purpose: str, link_id: UUID) -> str:
        """Return six digits that stand for the link on another device."""
        mac = self._mac(f"{purpose} code", link_id)
        return f"{int.from_bytes(mac[:8], 'big') % 1_000_000:06}"

    def hash_of_token(self, purpose: str, token: str) -> bytes | None:
        """Return the stored hash that a token names, or None if it is not one of ours."""
        try:
            data = base64.b64decode(token, altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return None
        if len(data) != _ID_BYTES + _MAC_BYTES:
            return None
        link_id = UUID(bytes=data[:_ID_BYTES])
        if not hmac.compare_digest(data[_ID_BYTES:], self._mac(purpose, link_id)):
            return None
        return hash_secret(data)

    def _mac(self, purpose: str, link_id: UUID) -> bytes:
        return hmac.digest(self._key, purpose.encode() + b"\0" + link_id.bytes, "sha256")


class LinkMail(BaseModel):
    """What the mail service needs to render a message about a link."""

    to: str
    template: str
    variables: dict[str, str | None]
    expires_at: AwareDatetime


class LinkMails:
    """Describes the mail of a link at the moment it is rendered.

    Whether an address has an account is looked up here and not when somebody asks to sign up:
    the request does the same work for every address and cannot tell by its time.
    """

    def __init__(self, database: Executor, tokens: LinkTokens, *, public_url: str) -> None:
        self._database = database
        self._tokens = tokens
        self._public_url = public_url

    async def describe(self, link_id: UUID) -> LinkMail | None:
        """Return the mail of a link, or None once the link is spent or expired."""
        link = await store.find_link(self._database, link_id)
        if link is None:
            return None
        if link.is_signup:
            return self._describe_signup(link)
        if link.template_taken is not None and link.is_taken:
            return self._notice(link, link.template_taken, name=None)
        if not link.account_exists and link.template_otherwise != link.template:
            other = link.template_otherwise
            return None if other is None else self._notice(link, other, name=None)
        if link.template is None:
            return None
        mail = self._notice(link, link.template, name=link.account_name)
        if link.path is not None:
            mail.variables["url"] = self._url(link, link.path)
        if link.has_code:
            mail.variables["code"] = self._tokens.code(link.purpose, link.id)
        return mail

    def _notice(self, link: Link, template: str, *, name: str | None) -> LinkMail:
        return LinkMail(
            to=link.email,
            template=template,
            variables=link.variables | {"name": name, "url": self._public_url},
            expires_at=link.expires_at,
        )

    def _describe_signup(self, link: Link) -> LinkMail:
        if link.account_exists:
            template, name, url = "account_exists", link.account_name, self._public_url
        else:
            template, name, url = "verify_email", link.name, self._url(link, "/verify")
        return LinkMail(
            to=link.email,
            template=template,
            variables={"name": name, "url": url},
            expires_at=link.expires_at,
        )

    def _url(self, link: Link, path: str) -> str:
        return f"{self._public_url}{path}#token={self._tokens.token(link.purpose, link.id)}"
