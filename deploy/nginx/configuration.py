"""nginx's whole configuration, generated: the edge of one stack.

    nginx -e stderr -p TEMP_DIR -c FILE

nginx stands in front in every mode. It asks the gateway about each request before the body
arrives, then moves the bytes between the client and the service, or the object store, itself.
"""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from deploy.nginx.cross_origin import cross_origin_maps, preflight_answer
from deploy.nginx.errors import error_pages, problem_locations, problem_maps
from deploy.nginx.locations import (
    decision_location,
    path_locations,
    request_headers,
    request_limit_zones,
    request_limits,
    response_headers,
)
from deploy.nginx.objects import object_location
from deploy.nginx.syntax import block, literal, mapping, quote
from services.gateway.decision_path import DECISION_PATH
from services.gateway.route import DEFAULT_BODY_LIMIT
from services.gateway.route_table import ROUTES, SERVICES
from shared.schemas.problems import ProblemCode


@dataclass(frozen=True, slots=True, kw_only=True)
class NginxSettings:
    """What differs from one stack to another.

    Raises ValueError for an address or a path that nginx cannot take.
    """

    port: int
    """The public port."""
    metrics_port: int
    """Where Prometheus reads every instance's metrics; bound to 127.0.0.1, never public."""
    public_url: str
    """What clients call this host, such as `https://app.example.com`."""
    run_dir: Path
    """Holds `<service>.sock`, `metrics/` and nginx's pid file."""
    temp_dir: Path
    """Exists and belongs to the user nginx runs as; bodies larger than memory rest here."""
    access_log: Path
    """JSON lines, one per request, without queries, credentials or bodies."""
    error_log: Path
    """nginx's own trouble; requests appear here only when a worker is in danger."""
    s3_endpoint: str
    """Scheme, host and port of the object store, as the files service signs for it."""
    client_origins: tuple[str, ...] = ()
    """Browser origins, besides the public address, whose pages may call the API."""
    address: str = "127.0.0.1"
    """The public address to bind."""
    workers: int = 2
    """Processes; one per core. More gain nothing."""
    worker_connections: int = 4096
    """Per worker, both sides counted: about half as many clients. Too low refuses connections."""
    limits: bool = True
    """Request limits per address and credential. Off only for load tests."""

    def __post_init__(self) -> None:
        for name in ("public_url", "s3_endpoint"):
            address = urlsplit(getattr(self, name))
            if address.scheme not in ("http", "https") or not address.hostname:
                raise ValueError(f"{name} must be an http or https address with a host")

    @property
    def pid_file(self) -> Path:
        """Where the master process writes its pid."""
        return self.run_dir / "nginx.pid"


def command(configuration: Path, settings: NginxSettings) -> list[str]:
    """Return the command that runs nginx in the foreground.

    SIGQUIT drains and ends it, SIGHUP takes over a changed configuration, SIGUSR1 reopens logs.
    """
    return ["nginx", "-e", "stderr", "-p", str(settings.temp_dir), "-c", str(configuration)]


def render(settings: NginxSettings) -> str:
    """Return the configuration file."""
    lines = [
        "# Generated; a change here is lost at the next start.",
        "daemon off;",
        f"pid {literal(str(settings.pid_file))};",
        f"error_log {literal(str(settings.error_log))} notice;",
        f"worker_processes {settings.workers};",
        f"worker_rlimit_nofile {settings.worker_connections * 2};",
        # Open WebSockets would keep the workers of an old configuration for ever.
        "worker_shutdown_timeout 10s;",
        *block("events", [f"worker_connections {settings.worker_connections};"]),
        *block("http", _http(settings)),
    ]
    return "\n".join(lines) + "\n"


def _http(settings: NginxSettings) -> list[str]:
    return [
        *_temporary_files(settings),
        *_logs(settings),
        "server_tokens off;",
        "absolute_redirect off;",
        "default_type application/octet-stream;",
        "keepalive_timeout 65s;",
        "client_header_timeout 15s;",
        "client_body_timeout 30s;",
        "send_timeout 30s;",
        "large_client_header_buffers 4 16k;",
        "variables_hash_max_size 2048;",
        "proxy_headers_hash_max_size 2048;",
        "proxy_headers_hash_bucket_size 128;",
        "map_hash_bucket_size 128;",
        "proxy_http_version 1.1;",
        "proxy_connect_timeout 2s;",
        "proxy_read_timeout 60s;",
        *_maps(),
        *cross_origin_maps(settings.client_origins),
        *(request_limit_zones() if settings.limits else []),
        *_upstreams(settings),
        *block("server", _public_server(settings)),
        *block("server", _metrics_server(settings)),
    ]


def _temporary_files(settings: NginxSettings) -> list[str]:
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    return [f"{kind}_temp_path {literal(str(settings.temp_dir / kind))};" for kind in kinds]


def _logs(settings: NginxSettings) -> list[str]:
    fields = (
        ("time", '"$time_iso8601"'),
        ("service", '"nginx"'),
        ("action", '"request"'),
        ("request_id", '"$request_id"'),
        ("traceparent", '"$service_traceparent"'),
        ("address", '"$remote_addr"'),
        ("method", '"$request_method"'),
        ("path", '"$request_path"'),
        ("status", "$status"),
        ("problem", '"$gateway_problem"'),
        ("bytes_received", "$request_length"),
        ("bytes_sent", "$bytes_sent"),
        ("seconds", "$request_time"),
        ("upstream", '"$upstream_addr"'),
        ("upstream_status", '"$upstream_status"'),
        ("upstream_seconds", '"$upstream_response_time"'),
        ("user_agent", '"$plain_user_agent"'),
    )
    line = ", ".join(f'"{name}": {value}' for name, value in fields)
    return [
        f"log_format requests escape=json '{{{line}}}';",
        f"access_log {literal(str(settings.access_log))} requests buffer=64k flush=1s;",
        # Every less serious line repeats the request with its query, which may hold a signature
        # or a token. What it would tell is in the access log: upstream, its status, its time.
        f"error_log {literal(str(settings.error_log))} crit;",
    ]


def _maps() -> list[str]:
    return [
        # nginx escapes for JSON what is not printable, but passes on bytes that are not UTF-8.
        *mapping(
            "$request_uri",
            "$request_path",
            [(r"~^(?<path_only>[\x21-\x3e\x40-\x7e]*)(\?|$)", "$path_only"), ("default", "*")],
        ),
        *mapping(
            "$http_user_agent",
            "$plain_user_agent",
            [(r"~^(?<plain>[\x20-\x7e]*)$", "$plain"), ("default", "*")],
        ),
        # The end of a credential tells it from others: of a token that is the signature. The last
        # four characters are left out because the decoding of base64 does not need all their bits.
        *mapping(
            '"$http_authorization$http_x_api_key"',
            "$credential_fingerprint",
            [(r"~(?<fingerprint>\S{1,64})\S{4}$", "$fingerprint")],
        ),
        *mapping(
            "$gateway_authorization",
            "$service_authorization",
            [("", "$http_authorization"), ("default", "$gateway_authorization")],
        ),
        *mapping("$request_id", "$span_id", [(r"~^(?<first_half>.{16})", "$first_half")]),
        *mapping(
            "$http_traceparent",
            "$service_traceparent",
            [
                (
                    "~^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$",
                    "$http_traceparent",
                ),
                ("default", "00-$request_id-$span_id-01"),
            ],
        ),
        *mapping("$http_upgrade", "$connection_upgrade", [("", ""), ("default", "upgrade")]),
        *mapping(
            "$sent_http_content_security_policy",
            "$missing_content_security_policy",
            [("", "default-src 'none'; frame-ancestors 'none'"), ("default", "")],
        ),
        *problem_maps(),
    ]


def _upstreams(settings: NginxSettings) -> list[str]:
    lines: list[str] = []
    for service in SERVICES:
        socket = quote(f"unix:{settings.run_dir / f'{service}.sock'}")
        # One server, several processes behind it: one that dies must not close the door to all.
        # Idle connections are closed from this side, before a draining process closes them: its
        # close could meet a request.
        lines += block(
            f"upstream {service}",
            [f"server {socket} max_fails=0;", "keepalive 64;", "keepalive_timeout 1s;"],
        )
    s3 = urlsplit(settings.s3_endpoint)
    port = s3.port or (443 if s3.scheme == "https" else 80)
    host = f"[{s3.hostname}]" if ":" in (s3.hostname or "") else s3.hostname
    return lines + block(
        "upstream object_store",
        [
            f"server {literal(f'{host}:{port}')} max_fails=0;",
            "keepalive 32;",
            "keepalive_timeout 30s;",
        ],
    )


def _public_server(settings: NginxSettings) -> list[str]:
    return [
        f"listen {settings.address}:{settings.port} default_server;",
        "server_name _;",
        # Two slashes are not one: the gateway sees the path as it was sent and refuses it.
        "merge_slashes off;",
        *preflight_answer(),
        f"client_max_body_size {DEFAULT_BODY_LIMIT};",
        f"auth_request {DECISION_PATH};",
        # A file's location says so itself; whoever knocks there from outside finds nothing.
        f"set $object_missing {ProblemCode.NOT_FOUND.value};",
        "auth_request_set $gateway_problem $upstream_http_x_freehold_problem;",
        "auth_request_set $gateway_authorization $upstream_http_x_freehold_authorization;",
        "auth_request_set $gateway_allow $upstream_http_allow;",
        "auth_request_set $gateway_scope $upstream_http_x_freehold_scope;",
        *(request_limits() if settings.limits else []),
        *request_headers(settings.public_url),
        *response_headers(),
        *error_pages(),
        *decision_location(),
        *object_location(settings.s3_endpoint),
        *path_locations(ROUTES, public_url=settings.public_url, limits=settings.limits),
        *problem_locations(),
    ]


def _metrics_server(settings: NginxSettings) -> list[str]:
    names = "|".join(SERVICES)
    sockets = settings.run_dir / "metrics"
    lines = ["access_log off;"]
    # `<service>` is its web processes, `<service>-worker` its workers.
    for suffix, role in (("", "web"), ("-worker", "worker")):
        pattern = quote(f"^/metrics/(?<metered>{names}){suffix}/(?<instance>[0-9]+)$")
        socket = quote(f"http://unix:{sockets}/$metered-{role}-$instance.sock:/metrics")
        lines += block(f"location ~ {pattern}", [f"proxy_pass {socket};"])
    return [
        f"listen 127.0.0.1:{settings.metrics_port};",
        *lines,
        *block("location = /nginx", ["stub_status;"]),
        *block("location /", ["return 404;"]),
    ]
