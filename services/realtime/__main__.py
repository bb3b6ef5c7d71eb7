"""Starts the realtime service: `python -m services.realtime [worker|migrate]`."""

from services.realtime.app import SERVICE
from shared.chassis.process import main

main(SERVICE)
