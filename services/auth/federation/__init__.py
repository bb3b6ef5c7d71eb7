"""Logging in with other OpenID providers, and with GitHub."""
