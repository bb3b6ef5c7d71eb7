"""The image: built from what is in the checkout, locked, without root and without secrets."""

import json
import re
from pathlib import Path

import pytest

from deploy.bootstrap.code_root import NEEDED
from deploy.bootstrap.packages import STACK
from deploy.local.settings import OperatorSettings
from tests.deploy.container.compose import CHECKOUT, SERVICES, instructions, mounts, of_kind

COPIED = [source for text in of_kind("COPY") for source in text.split()[:-1]]
# What `up` runs in the app's container and no external server replaces.
PACKAGES = {requirement.package for requirement in STACK if requirement.replaced_by is None}


@pytest.mark.parametrize("source", COPIED)
def test_what_is_copied_exists_and_is_sent_to_the_builder(source: str) -> None:
    assert (CHECKOUT / source).exists()
    ignored = (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").split("\n")
    assert ignored[1] == "*"
    assert f"!{Path(source).parts[0]}" in ignored


def test_everything_that_the_launcher_needs_is_copied() -> None:
    assert set(NEEDED) <= set(COPIED)


def test_state_and_tools_of_the_checkout_stay_out_of_the_image() -> None:
    sent = {
        line.removeprefix("!")
        for line in (CHECKOUT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    }
    assert sent == {"LICENSE", *NEEDED}


def test_the_base_image_has_a_version() -> None:
    assert of_kind("FROM") == ["python:3.11-slim-bookworm"]


def test_the_distributions_packages_are_those_that_up_would_install() -> None:
    (install,) = [text for text in of_kind("RUN") if "apt-get install" in text]
    assert "--no-install-recommends" in install
    assert install.endswith("rm -rf /var/lib/apt/lists/*")
    packages = install.partition("--no-install-recommends ")[2].partition(" && ")[0]
    assert set(packages.split()) == PACKAGES


def test_python_packages_are_installed_by_the_launchers_own_locked_way() -> None:
    runs = of_kind("RUN")
    (own,) = [json.loads(text)[-1] for text in runs if text.startswith("[")]
    assert "ensure_virtual_environment(Path.cwd(), 'runtime.lock', Account.current())" in own
    compile(own, "Dockerfile", "exec")
    assert not any("pip install" in text for text in runs)


def test_it_runs_as_an_unprivileged_user_from_before_its_command() -> None:
    names = [instruction.name for instruction in instructions()]
    assert of_kind("USER") == ["freehold"]
    assert names.index("USER") < names.index("CMD")
    assert not {"RUN", "COPY"} & set(names[names.index("USER") :])


def test_its_health_is_what_the_front_door_says() -> None:
    (check,) = of_kind("HEALTHCHECK")
    port = OperatorSettings.model_fields["port"].default
    assert f"http://127.0.0.1:${{FREEHOLD_PORT:-{port}}}/readyz" in check
    assert of_kind("EXPOSE") == [str(port)]


def test_no_secret_and_nothing_from_the_network_is_baked_in() -> None:
    assert not of_kind("ADD")
    assert not of_kind("ARG")
    (environment,) = of_kind("ENV")
    assert not re.search("PASSWORD|SECRET|KEY", environment)


def test_volumes_are_mounted_on_folders_that_the_user_owns() -> None:
    (made,) = [text for text in of_kind("RUN") if "install --directory" in text]
    owned = set(made.partition("--mode=0700")[2].split())
    assert set(mounts("prepare").values()) == owned
    state = mounts("app")["state"]
    assert f"FREEHOLD_HOME={state}" in of_kind("ENV")[0]
    assert set(mounts("seaweedfs").values()) <= owned
    assert mounts("seaweedfs")["seaweedfs"] in SERVICES["seaweedfs"]["command"]
