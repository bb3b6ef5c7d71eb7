"""How passkeys are put together."""

from services.auth.core import Core
from services.auth.factors.notices import FactorNotices
from services.auth.passkeys.enrolment import PasskeyEnrolment
from services.auth.passkeys.log_ins import PasskeyLogIns, PasskeySecondSteps, PasskeyStepUps
from services.auth.passkeys.proofs import PasskeyChallenges, PasskeyProofs
from services.auth.passkeys.relying_party import RelyingParty
from services.auth.routes.passkeys import PasskeyLogInRoutes, PasskeyRoutes


def resources(core: Core) -> tuple[PasskeyLogInRoutes, PasskeyRoutes]:
    """Return what has routes."""
    party = RelyingParty(core.settings.public_url, core.settings.client_origins)
    challenges = PasskeyChallenges()
    proofs = PasskeyProofs(party, challenges)
    notices = FactorNotices(core.mails)
    enrolment = PasskeyEnrolment(
        core.database,
        party=party,
        challenges=challenges,
        factors=core.challenges,
        notices=notices,
        sessions=core.sessions,
    )
    second_steps = PasskeySecondSteps(
        core.database,
        challenges=core.challenges,
        entrance=core.entrance,
        proofs=proofs,
        notices=notices,
    )
    return (
        PasskeyLogInRoutes(
            PasskeyLogIns(core.database, proofs, core.entrance),
            second_steps,
            PasskeyStepUps(core.database, proofs, core.entrance),
            origins=core.origins,
            answers=core.answers,
            authenticator=core.authenticator,
        ),
        PasskeyRoutes(core.database, enrolment, core.authenticator),
    )
