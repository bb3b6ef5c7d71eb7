"""How organisations are put together."""

from services.auth.core import Core
from services.auth.organisations.invitations import Invitations
from services.auth.organisations.members import Members
from services.auth.organisations.organisations import Organisations
from services.auth.routes.invitations import InvitationRoutes
from services.auth.routes.organisations import OrganisationRoutes
from services.auth.routes.session_organisation import SessionOrganisationRoutes


def resources(core: Core) -> tuple[OrganisationRoutes, InvitationRoutes, SessionOrganisationRoutes]:
    """Return the resources of organisations."""
    return (
        OrganisationRoutes(
            core.database,
            Organisations(core.database, core.outbox),
            Members(core.database, core.outbox),
            creations=core.creations,
            authenticator=core.authenticator,
        ),
        InvitationRoutes(
            Invitations(core.database, core.outbox, core.mails, core.link_tokens),
            core.creations,
            core.authenticator,
        ),
        SessionOrganisationRoutes(core.database, core.sessions, core.authenticator),
    )
