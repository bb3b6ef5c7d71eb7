"""The statements about schedules, read once."""

from typing import Final

from shared.chassis.queries import load_queries

SQL: Final = load_queries(__file__)
