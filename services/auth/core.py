"""What every capability of the auth service is built from."""

from dataclasses import dataclass

from services.auth.access_tokens import AccessTokenIssuer
from services.auth.creations import Creations
from services.auth.device_cookie import DeviceCookie
from services.auth.entrance import Entrance
from services.auth.factors.challenges import Challenges
from services.auth.links import LinkTokens
from services.auth.mailing.limits import AddressNames, MailLimits
from services.auth.mailing.mails import AccountMails
from services.auth.master_key import MasterKey
from services.auth.new_passwords import NewPasswords
from services.auth.origins import OriginPolicy
from services.auth.passwords import PasswordHasher
from services.auth.protections.captcha import Captcha
from services.auth.protections.known_devices import KnownDevices
from services.auth.refresh_cookie import RefreshCookie
from services.auth.routes.answers import SessionAnswers
from services.auth.sessions import Sessions
from services.auth.settings import AuthSettings
from services.auth.signing_keys import KeyRing
from services.auth.throttle import LoginThrottle
from shared.chassis.database import Database
from shared.chassis.identity.tokens import Authenticator
from shared.chassis.outbox import Outbox


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """The parts of a web process that more than one capability uses, started already."""

    settings: AuthSettings
    master_key: MasterKey
    outbox: Outbox
    database: Database
    keys: KeyRing
    hasher: PasswordHasher
    new_passwords: NewPasswords
    captcha: Captcha
    throttle: LoginThrottle
    issuer: AccessTokenIssuer
    authenticator: Authenticator
    origins: OriginPolicy
    cookie: RefreshCookie
    device_cookie: DeviceCookie
    known_devices: KnownDevices
    answers: SessionAnswers
    link_tokens: LinkTokens
    mails: AccountMails
    address_names: AddressNames
    mail_limits: MailLimits
    sessions: Sessions
    challenges: Challenges
    creations: Creations
    entrance: Entrance
