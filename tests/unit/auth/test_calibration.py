"""The work factor of password hashes follows the machine, within bounds."""

import pytest

from services.auth.calibration import HIGHEST, LOWEST, TARGET_SECONDS, cost_for


@pytest.mark.parametrize(
    ("probe_seconds", "cost"),
    [
        (TARGET_SECONDS / 2**4, 12),
        (TARGET_SECONDS / 2**4 * 1.3, 12),
        (TARGET_SECONDS / 2**4 * 0.8, 12),
        (TARGET_SECONDS / 2**5, 13),
        (TARGET_SECONDS / 2**3, 11),
        (TARGET_SECONDS, LOWEST),
        (10 * TARGET_SECONDS, LOWEST),
        (TARGET_SECONDS / 2**9, HIGHEST),
    ],
)
def test_a_hash_takes_about_a_quarter_of_a_second(probe_seconds: float, cost: int) -> None:
    assert cost_for(probe_seconds) == cost
