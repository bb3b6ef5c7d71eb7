# Freehold's own processes, and the servers beside them that keep no data or are ours: nginx,
# Prometheus, the SMTP inbox, SeaweedFS. docker-compose.yml says which container runs what.
FROM python:3.11-slim-bookworm

# Security updates of the distribution are wanted at every build, so no version is named.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends nginx prometheus \
    && rm -rf /var/lib/apt/lists/*

# The number is named because docker-compose.yml runs PostgreSQL and RabbitMQ as the same user.
# Volumes take over owner and mode of the folders that they are mounted on.
RUN groupadd --gid 10001 freehold \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/freehold \
        --shell /usr/sbin/nologin freehold \
    && install --directory --owner=freehold --group=freehold --mode=0700 \
        /var/lib/freehold /var/lib/freehold/postgres /var/lib/freehold/rabbitmq \
        /var/lib/freehold/seaweedfs

WORKDIR /opt/freehold

# The launcher's own way to install the locked packages, so that it finds them in place.
COPY requirements requirements
COPY deploy/__init__.py deploy/__init__.py
COPY deploy/bootstrap deploy/bootstrap
RUN ["python3", "-c", "from pathlib import Path; from deploy.bootstrap.account import Account; from deploy.bootstrap.virtual_environment import ensure_virtual_environment; ensure_virtual_environment(Path.cwd(), 'runtime.lock', Account.current())"]

COPY LICENSE freehold ./
COPY shared shared
COPY services services
COPY deploy deploy

ENV PATH=/opt/freehold/.venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    FREEHOLD_HOME=/var/lib/freehold
USER freehold
EXPOSE 8080
HEALTHCHECK --interval=15s --timeout=6s --start-period=3m --retries=3 \
    CMD python3 -c "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=5)" "http://127.0.0.1:${FREEHOLD_PORT:-8080}/readyz"
CMD ["python3", "-m", "deploy.container.app"]
