"""Requests to addresses that somebody else chose: webhooks and other sign-in providers."""
