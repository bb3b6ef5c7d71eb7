"""Roles that a token can carry."""

ADMINISTRATOR = "administrator"
