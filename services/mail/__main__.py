"""Starts the mail service: `python -m services.mail [worker|migrate]`."""

from services.mail.app import SERVICE
from shared.chassis.process import main

main(SERVICE)
