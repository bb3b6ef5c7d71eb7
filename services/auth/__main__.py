"""Starts the auth service: `python -m services.auth [worker|migrate|admin EMAIL]`."""

from services.auth.app import SERVICE
from shared.chassis.process import main

main(SERVICE)
