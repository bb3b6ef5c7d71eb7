"""What is generated for the servers: on loopback, with keys, the same at every start."""

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

from deploy.local.errors import LauncherError
from deploy.monitoring import prometheus
from deploy.postgres import configuration as postgres
from deploy.postgres.cluster import remove_stale_lock
from deploy.postgres.programs import programs
from deploy.postgres.tuning import GIBIBYTE, tuning
from deploy.rabbitmq import configuration as rabbitmq
from deploy.seaweedfs import configuration as seaweedfs


def test_a_64_gigabyte_server_is_tuned_as_the_reference() -> None:
    reference = {
        "shared_buffers": "16384MB",
        "effective_cache_size": "49152MB",
        "maintenance_work_mem": "2048MB",
        "work_mem": "64MB",
        "wal_buffers": "64MB",
        "random_page_cost": "1.1",
        "effective_io_concurrency": "200",
        "checkpoint_completion_target": "0.9",
        "default_statistics_target": "100",
    }
    assert tuning(64 * GIBIBYTE, 12).items() >= reference.items()


def test_postgres_is_reached_by_its_socket_alone_and_syncs() -> None:
    text = postgres.render(
        data=Path("/d"), access_rules=Path("/h"), socket_dir=Path("/run/it's"), tuning={}
    )
    lines = text.splitlines()
    assert "listen_addresses = ''" in lines
    assert "fsync = on" in lines
    assert "unix_socket_directories = '/run/it''s'" in lines
    assert not re.search(r"^host", postgres.ACCESS_RULES, re.MULTILINE)


def test_the_programs_fit_the_data(tmp_path: Path) -> None:
    for version in ("9", "15", "17"):
        (tmp_path / "lib" / version / "bin").mkdir(parents=True)
        (tmp_path / "lib" / version / "bin" / "postgres").touch()
    data = tmp_path / "data"
    data.mkdir()
    assert programs(data, tmp_path / "lib").parent.name == "17"
    (data / "PG_VERSION").write_text("15\n")
    assert programs(data, tmp_path / "lib").parent.name == "15"
    (data / "PG_VERSION").write_text("16\n")
    with pytest.raises(LauncherError, match="install the package postgresql-16"):
        programs(data, tmp_path / "lib")


@pytest.mark.parametrize("pid", ["1", "999999999", "not a pid"])
def test_a_lock_of_another_program_is_removed(tmp_path: Path, pid: str) -> None:
    lock = tmp_path / "postmaster.pid"
    lock.write_text(f"{pid}\n/data\n")
    remove_stale_lock(tmp_path)
    assert lock.exists() == (pid == "not a pid")


def test_a_broker_account_may_use_its_own_and_the_shared_names() -> None:
    definitions = json.loads(rabbitmq.render_definitions("freehold", {"auth": "pw", "mail": "pw2"}))
    assert [user["name"] for user in definitions["users"]] == ["auth", "mail"]
    rights = definitions["permissions"][0]
    for name, configure, write in (
        ("auth.events", True, True),
        ("freehold.events", True, True),
        ("amq.default", False, True),
        ("mail.events", False, False),
        ("authx.events", False, False),
    ):
        assert bool(re.match(rights["configure"], name)) == configure, name
        assert bool(re.match(rights["write"], name)) == write, name
        assert bool(re.match(rights["read"], name)) == configure, name


def test_a_broker_password_is_stored_as_a_salted_hash() -> None:
    raw = base64.b64decode(rabbitmq.password_hash("auth", "pw"))
    assert raw[4:] == hashlib.sha256(raw[:4] + b"pw").digest()
    assert rabbitmq.password_hash("auth", "pw") != rabbitmq.password_hash("mail", "pw")


def test_the_object_store_listens_on_loopback_and_reports_to_nobody() -> None:
    ports = seaweedfs.SeaweedPorts(master=1, volume=2, filer=3, s3=4, metrics=5)
    command = seaweedfs.command(Path("weed"), Path("/d"), Path("/i"), Path("/s"), ports)
    assert {
        "-ip.bind=127.0.0.1",
        "-metricsIp=127.0.0.1",
        "-master.telemetry=false",
        "-s3.port.iceberg=0",
        "-s3.port.lance=0",
        "-s3.config=/i",
    } <= set(command)


def test_the_files_service_may_use_its_one_bucket_and_nothing_else() -> None:
    document = json.loads(seaweedfs.render_identities("bucket", ("a", "b"), ("c", "d")))
    (files,) = (i for i in document["identities"] if i["name"] == "files")
    assert files["credentials"] == [{"accessKey": "c", "secretKey": "d"}]
    assert all(action.endswith(":bucket") for action in files["actions"])


def test_prometheus_reads_our_processes_from_the_supervisors_file() -> None:
    document = json.loads(prometheus.render(Path("/t/services.json"), {"rabbitmq": 1234}))
    ours, broker = document["scrape_configs"]
    assert ours["file_sd_configs"][0]["files"] == ["/t/services.json"]
    assert broker["static_configs"] == [{"targets": ["127.0.0.1:1234"]}]
