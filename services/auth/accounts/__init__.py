"""The life of an account after its sign-up: another address, the end."""
