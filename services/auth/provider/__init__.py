"""Freehold as an OpenID provider: other applications sign their users in with it."""
