"""Starts the jobs service: `python -m services.jobs [worker|migrate]`."""

from services.jobs.app import SERVICE
from shared.chassis.process import main

main(SERVICE)
