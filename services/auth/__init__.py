"""The auth service: accounts, sessions, API keys and the tokens that speak for them."""
