"""Tokens derived by a MAC: what was written is read back, anything else is nothing."""

from uuid import UUID

import pytest
from pydantic import SecretStr

from services.auth.links import LinkTokens
from services.auth.master_key import MasterKey
from services.auth.refresh_tokens import RefreshClaim, RefreshTokens

MASTER_KEY = MasterKey(SecretStr("a master key for unit tests"))
OTHER_KEY = MasterKey(SecretStr("another master key"))
ID = UUID("01890a5d-ac96-774b-bcce-b302099a8057")
NOT_TOKENS = ["", "x", "=", "===", "\x00", "ü" * 75, "A" * 63, "A" * 64, "A" * 75, "A" * 512]


def test_each_purpose_has_a_key_of_its_own() -> None:
    purposes = ["link", "refresh-token", "signing-keys", "login-throttle"]
    assert len({MASTER_KEY.derive(purpose) for purpose in purposes}) == len(purposes)
    assert MASTER_KEY.derive("link") != OTHER_KEY.derive("link")


@pytest.mark.parametrize("counter", [0, 1, 255, 2**63 - 1])
def test_a_refresh_token_says_what_was_written(counter: int) -> None:
    claim = RefreshClaim(ID, counter)
    token = RefreshTokens(MASTER_KEY).write(claim)

    assert RefreshTokens(MASTER_KEY).read(token) == claim
    assert RefreshTokens(OTHER_KEY).read(token) is None


def test_a_refresh_token_changed_anywhere_says_nothing() -> None:
    token = RefreshTokens(MASTER_KEY).write(RefreshClaim(ID, 1))
    # The last character holds two bits of padding, which say nothing either way.
    for place in range(len(token) - 1):
        put = "A" if token[place] != "A" else "B"
        changed = token[:place] + put + token[place + 1 :]
        assert RefreshTokens(MASTER_KEY).read(changed) is None, place


@pytest.mark.parametrize("text", NOT_TOKENS)
def test_any_text_is_read_without_an_error(text: str) -> None:
    assert RefreshTokens(MASTER_KEY).read(text) is None
    assert LinkTokens(MASTER_KEY).hash_of_token("signup", text) is None


def test_a_link_token_is_good_for_one_purpose() -> None:
    tokens = LinkTokens(MASTER_KEY)
    token = tokens.token("signup", ID)

    assert tokens.hash_of_token("signup", token) == tokens.hash("signup", ID)
    assert tokens.hash_of_token("reset", token) is None
    assert LinkTokens(OTHER_KEY).hash_of_token("signup", token) is None
