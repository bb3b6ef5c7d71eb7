"""The gateway: decides about every request, so that nginx can move the bytes."""
