"""Makes sure that an external broker can be used before anything relies on it."""

import aio_pika
from aio_pika.exceptions import AMQPError
from aiormq.exceptions import AuthenticationError, ProbableAuthenticationError

from deploy.local.external import CONNECT_TIMEOUT_SECONDS, unusable
from shared.chassis.reachability import server_of, why_unreachable

VARIABLE = "FREEHOLD_AMQP_URL"
DEFAULT_PORTS = {"amqp": 5672, "amqps": 5671}
VHOST_OPENED = "Connection.OpenOk"


async def check_broker(url: str) -> None:
    """Log in and out again. Raises LauncherError that says why that is not possible."""
    server = server_of(url, DEFAULT_PORTS[url.partition(":")[0].lower()])
    try:
        connection = await aio_pika.connect(url, timeout=CONNECT_TIMEOUT_SECONDS)
    except (AuthenticationError, ProbableAuthenticationError) as error:
        raise unusable(VARIABLE, server, "refuses the user or the password") from error
    except (AMQPError, OSError) as error:
        what = why_unreachable(error) or f"cannot be used: {error}"
        if VHOST_OPENED in str(error):
            # The broker closed instead; its reason does not come through.
            what = "has no such vhost as the address ends in, or lets this user not into it"
        raise unusable(VARIABLE, server, what) from error
    await connection.close()
