"""Templates: complete, escaped, and no carrier for a stranger's words."""

import pytest

from services.mail.templates import FOLDER, TemplateError, TemplateSet, salutation

VARIABLES = {
    "name": "Ada",
    "url": "https://freehold.example/verify#token=abc",
    "site": "freehold.example",
    "expires_at": "24 November 2026, 12:00 UTC",
    "code": "123456",
    "change": "an authenticator app was added",
    "organisation": "Acme Ltd.",
    "new_email": "ada@new.example",
    "reason": "ticket 7",
    "when": "24 November 2026, 12:00 UTC",
    "device": "Firefox on Linux",
    "address": "2001:db8:1234:5678:9abc:def0:1234:5678",
}
NAMES = sorted(path.name.removesuffix(".subject.txt") for path in FOLDER.glob("*.subject.txt"))


def test_the_templates_there_are() -> None:
    assert [
        *("account_deleted", "account_entered", "account_exists"),
        *("email_change_new", "email_change_old", "email_changed", "email_taken"),
        *("factor_changed", "factor_guessed", "identity_changed", "invitation", "magic_link"),
        *("new_device", "no_account", "password_changed", "password_reset", "verify_email"),
    ] == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_shows_its_link_on_a_line_of_its_own_and_as_an_anchor(name: str) -> None:
    rendered = TemplateSet().render(name, VARIABLES)
    assert VARIABLES["url"] in rendered.text.splitlines()
    assert f'href="{VARIABLES["url"]}"' in rendered.html
    assert "freehold.example" in rendered.subject
    assert "\n" not in rendered.subject
    assert all(len(line) <= 78 for line in rendered.text.splitlines())


def test_values_are_escaped_in_html() -> None:
    rendered = TemplateSet().render("verify_email", {**VARIABLES, "site": "<b>&", "url": '"><i>'})
    assert "<b>" not in rendered.html
    assert "<i>" not in rendered.html


@pytest.mark.parametrize(
    ("name", "variables"),
    [("no_such", VARIABLES), ("../app", VARIABLES), ("verify_email", {"name": "Ada"})],
)
def test_what_cannot_be_rendered(name: str, variables: dict[str, str]) -> None:
    with pytest.raises(TemplateError):
        TemplateSet().render(name, variables)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Ada", "Hello Ada,"),
        ("  Ada   Lovelace ", "Hello Ada Lovelace,"),
        ("Dr. Ada K. Lovelace", "Hello Dr. Ada K. Lovelace,"),
        ("Zoë O'Brien-Łukasz", "Hello Zoë O'Brien-Łukasz,"),
        (None, "Hello,"),
        ("", "Hello,"),
        ("   ", "Hello,"),
        ("win at casino.example", "Hello,"),
        ("https://casino.example", "Hello,"),
        ("casino.example/now", "Hello,"),
        ("mail me@casino.example", "Hello,"),
        ("<b>Ada</b>", "Hello,"),
        ("Ada\x00", "Hello,"),
        ("x" * 61, "Hello,"),
    ],
)
def test_a_name_is_shown_only_if_it_is_nothing_else(name: str | None, expected: str) -> None:
    assert salutation(name) == expected


@pytest.mark.parametrize(
    ("organisation", "shown"),
    [
        ("Acme Ltd.", "Acme Ltd."),
        ("Müller & Söhne", "Müller &amp; Söhne"),
        ("win at casino.example", "an organisation"),
        ("casino.example/now", "an organisation"),
        ("<b>Acme</b>", "an organisation"),
        ("x" * 61, "an organisation"),
    ],
)
def test_an_invitation_carries_no_advertisement(organisation: str, shown: str) -> None:
    rendered = TemplateSet().render("invitation", {**VARIABLES, "organisation": organisation})
    assert f"<strong>{shown}</strong>" in rendered.html
    assert "casino" not in rendered.subject + rendered.text
