"""How second factors, step-up and log-in by mail are put together."""

from services.auth.core import Core
from services.auth.factors.enrolment import Enrolment
from services.auth.factors.notices import FactorNotices
from services.auth.factors.proofs import CodeProofs, TotpSecrets
from services.auth.factors.second_steps import SecondSteps
from services.auth.factors.step_up import StepUps
from services.auth.factors.throttle import CodeThrottle
from services.auth.logins import Logins
from services.auth.magic_links.limits import CodeLimits
from services.auth.magic_links.magic_links import MagicLinks
from services.auth.routes.factors import FactorRoutes, SecondStepRoutes
from services.auth.routes.magic_links import MagicLinkRoutes


def resources(core: Core, logins: Logins) -> tuple[SecondStepRoutes, FactorRoutes, MagicLinkRoutes]:
    """Return what has routes."""
    secrets = TotpSecrets(core.master_key)
    notices = FactorNotices(core.mails)
    proofs = CodeProofs(secrets, CodeThrottle(), notices)
    second_steps = SecondSteps(core.database, core.challenges, core.entrance, proofs, notices)
    step_ups = StepUps(
        core.database,
        logins=logins,
        challenges=core.challenges,
        entrance=core.entrance,
        proofs=proofs,
    )
    enrolment = Enrolment(
        core.database,
        sessions=core.sessions,
        challenges=core.challenges,
        secrets=secrets,
        proofs=proofs,
        notices=notices,
        public_url=core.settings.public_url,
    )
    magic_links = MagicLinks(
        core.database,
        core.mails,
        core.link_tokens,
        core.entrance,
        mail_limits=core.mail_limits,
        code_limits=CodeLimits(core.address_names),
    )
    return (
        SecondStepRoutes(second_steps, step_ups, core.origins, core.answers, core.authenticator),
        FactorRoutes(core.database, enrolment, core.challenges, core.authenticator),
        MagicLinkRoutes(magic_links, core.origins, core.answers, core.captcha),
    )
