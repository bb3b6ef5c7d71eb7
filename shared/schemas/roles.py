"""Roles that a token can carry."""

from enum import StrEnum

ADMINISTRATOR = "administrator"


class OrganisationRole(StrEnum):
    """What somebody is in an organisation, the one who may do most first."""

    OWNER = "owner"
    ADMIN = "admin"
    MEMBER = "member"
