"""The log of what was done to accounts, by whom and from where."""
