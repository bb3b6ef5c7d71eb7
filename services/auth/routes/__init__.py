"""HTTP handlers of the auth service, one resource a file."""
