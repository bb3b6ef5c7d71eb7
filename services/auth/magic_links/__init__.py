"""Logging in by a link or a code that comes by mail."""
