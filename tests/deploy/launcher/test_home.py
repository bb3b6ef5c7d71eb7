"""State lies in private files, sockets in short paths, secrets are made once."""

from pathlib import Path

import pytest

from deploy.bootstrap.account import Account
from deploy.bootstrap.launch import state_home
from deploy.local.errors import LauncherError
from deploy.local.home import Home, choose_run_dir, read_json, require_private, write_json
from deploy.local.privileges import out_of_reach
from deploy.local.secret_store import SecretStore

SERVICE_USER = Account("freehold", 999, 999)


@pytest.mark.parametrize(
    ("as_root", "session_dir", "expected"),
    [
        (True, "/run/user/0", "/run/freehold/8080"),
        (False, "/run/user/1000", "/run/user/1000/freehold-8080"),
        (False, None, "/tmp/freehold-999-8080"),
    ],
)
def test_sockets_lie_where_their_user_may_create_them(
    *, as_root: bool, session_dir: str | None, expected: str
) -> None:
    chosen = choose_run_dir(8080, SERVICE_USER, as_root=as_root, session_dir=session_dir)
    assert chosen == Path(expected)


def test_a_path_too_long_for_sockets_is_refused() -> None:
    with pytest.raises(LauncherError, match="the kernel takes 107"):
        choose_run_dir(8080, SERVICE_USER, as_root=False, session_dir="/" + "d" * 90)


def test_a_folder_that_somebody_else_put_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LauncherError, match="does not belong to nobody"):
        require_private(tmp_path, Account("nobody", tmp_path.stat().st_uid + 1, 0))


def test_a_link_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    with pytest.raises(LauncherError):
        require_private(link, Account("me", tmp_path.stat().st_uid, 0))


def test_files_are_private_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "inner" / "value.json"
    write_json(path, {"a": 1})
    assert read_json(path) == {"a": 1}
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "ports.json"
    path.write_text("{")
    with pytest.raises(LauncherError, match=r"ports\.json is damaged"):
        read_json(path)


def test_secrets_are_generated_once_and_completed_later(tmp_path: Path) -> None:
    home = Home(tmp_path)
    first = SecretStore.of(home, frozenset({"a"}))
    later = SecretStore.of(home, frozenset({"a", "b"}))
    assert later["a"] == first["a"] != later["b"]
    assert len(later["b"]) >= 43
    assert home.secrets.stat().st_mode & 0o777 == 0o600


def test_secrets_do_not_show(tmp_path: Path) -> None:
    store = SecretStore.of(Home(tmp_path), frozenset({"a"}))
    assert store["a"] not in repr(store)


def test_a_chosen_state_folder_is_relative_to_where_the_command_was_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert state_home("state", Path("/checkout")) == tmp_path / "state"


def test_a_folder_out_of_reach_is_explained() -> None:
    message = out_of_reach(Path("/private/state"), Path("/private"), SERVICE_USER)
    assert "FREEHOLD_HOME=/private/state is out of reach of the user freehold" in message
    assert "Next: choose a folder that freehold can reach" in message
