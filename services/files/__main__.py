"""Starts the files service: `python -m services.files [worker|migrate]`."""

from services.files.app import SERVICE
from shared.chassis.process import main

main(SERVICE)
