"""Mails about accounts: links that do something once, and notices that only tell."""
