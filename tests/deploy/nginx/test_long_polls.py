"""A request that waits for work is held by nginx for as long as its service may hold it."""

import re
from pathlib import Path

from annotated_types import Le

from deploy.nginx.configuration import NginxSettings, render
from shared.schemas.api.jobs import ClaimRequest

MARGIN_SECONDS = 15


def test_a_claim_may_wait_as_long_as_it_is_allowed_to(tmp_path: Path) -> None:
    text = render(
        NginxSettings(
            port=8080,
            metrics_port=8081,
            public_url="http://127.0.0.1:8080",
            run_dir=tmp_path,
            temp_dir=tmp_path,
            access_log=tmp_path / "access.log",
            error_log=tmp_path / "error.log",
            s3_endpoint="http://127.0.0.1:8333",
            workers=1,
        )
    )
    (longest,) = (
        limit.le
        for limit in ClaimRequest.model_fields["wait_seconds"].metadata
        if isinstance(limit, Le)
    )
    (location,) = re.findall(r"location = /v1/jobs/claim \{([^}]*)\}", text)
    assert "proxy_read_timeout" not in location
    (inherited,) = re.findall(r"^    proxy_read_timeout (\d+)s;", text, re.MULTILINE)
    assert int(inherited) >= longest + MARGIN_SECONDS
