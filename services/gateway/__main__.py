"""Starts the gateway: `python -m services.gateway`."""

from services.gateway.app import SERVICE
from shared.chassis.process import main

main(SERVICE)
