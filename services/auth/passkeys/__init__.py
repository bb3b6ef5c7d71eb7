"""Passkeys (WebAuthn): registered by their owners, and proved at log-in and later."""
