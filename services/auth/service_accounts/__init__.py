"""Accounts of programs, which have nothing but API keys."""
