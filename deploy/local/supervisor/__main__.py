"""``python -m deploy.local.supervisor PLAN.json`` runs one stack until SIGTERM."""

import asyncio
import logging
import sys
from pathlib import Path

from deploy.local.supervisor.logs import JsonLogHandler, RotatingLog
from deploy.local.supervisor.record import AlreadyRunning
from deploy.local.supervisor.specs import Plan, PlanError
from deploy.local.supervisor.supervisor import Supervisor

EXIT_CANNOT_RUN = 2


def main(arguments: list[str]) -> int:
    """Run the plan; return 0 after a clean stop, 2 if it cannot be run at all."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m deploy.local.supervisor PLAN.json\n")
        return EXIT_CANNOT_RUN
    path = Path(arguments[0]).resolve()
    try:
        plan = Plan.load(path)
    except PlanError as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CANNOT_RUN
    logging.basicConfig(level="INFO", handlers=[JsonLogHandler(RotatingLog(plan.log_path))])
    logging.getLogger("asyncio").setLevel("WARNING")
    try:
        asyncio.run(_run(plan, path))
    except AlreadyRunning as error:
        sys.stderr.write(f"{error}\n")
        return EXIT_CANNOT_RUN
    except BaseException:
        logging.getLogger(__name__).exception(
            "the supervisor failed; its keeper starts a successor"
        )
        raise
    return 0


async def _run(plan: Plan, path: Path) -> None:
    await Supervisor(plan, path).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
