"""`python -m services.auth admin EMAIL`: make or promote an administrator."""

import sys

from services.auth.administrators import Administrators, PasswordNeeded
from services.auth.calibration import password_cost
from services.auth.emails import InvalidEmailError
from services.auth.links import LinkTokens
from services.auth.mailing.mails import AccountMails
from services.auth.master_key import MasterKey
from services.auth.settings import AuthSettings
from shared.chassis.database import Database
from shared.chassis.errors import Problem
from shared.chassis.outbox import Outbox

_EXIT_FAILED = 1
_EXIT_USAGE = 2


async def make_or_promote(settings: AuthSettings, arguments: list[str]) -> int:
    """Read a password from standard input and make the one address an administrator.

    Says in its first line what was done, and in a further one that it enabled the account.
    Returns the exit status: 0 when done, 1 when it could not be done, 2 for wrong arguments.
    """
    if len(arguments) != 1:
        sys.stderr.write("Give one e-mail address: admin EMAIL, with the password on stdin.\n")
        return _EXIT_USAGE
    email = arguments[0]
    password = "" if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    database = Database(settings, "auth")
    outbox = Outbox("auth")
    mails = AccountMails(database, outbox, LinkTokens(MasterKey(settings.master_key)))
    try:
        await database.start()
        outcome = await Administrators(database, outbox, mails).make(
            email=email,
            password=password,
            password_min_length=settings.password_min_length,
            bcrypt_cost=await password_cost(database, settings.bcrypt_cost),
        )
    except InvalidEmailError as error:
        sys.stderr.write(f"{email} cannot be used: {error}\n")
        return _EXIT_FAILED
    except PasswordNeeded:
        sys.stderr.write(f"There is no account {email}; give a password on stdin to make one.\n")
        return _EXIT_FAILED
    except Problem as problem:
        reasons = [fault.message for fault in problem.errors or []] or [problem.detail]
        sys.stderr.write(f"{email} was not made an administrator: {' '.join(reasons)}\n")
        return _EXIT_FAILED
    finally:
        await database.stop()
    sys.stdout.write(f"administrator {outcome.done}: {email}\n")
    if outcome.enabled:
        sys.stdout.write("The account was disabled; now it is enabled again.\n")
    return 0
