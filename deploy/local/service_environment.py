"""The environment of a service's processes: what its settings model asks for, and nothing else."""

from deploy.local.settings import settings_of
from deploy.local.stack import Stack
from shared.chassis.settings import variable_name


def service_environment(stack: Stack, service: str, instance: str = "1") -> dict[str, str]:
    """Return the variables of a process of the service.

    What the launcher decides (addresses, accounts, keys) outranks what the operator set under the
    same name: an external database is reached with the service's own role, for example.
    """
    fields = settings_of(service).model_fields.keys()
    given = {
        name: value
        for name, value in stack.configuration.variables.items()
        if name in {variable_name(field) for field in fields}
    }
    decided = {
        variable_name(field): value
        for field, value in _decided(stack, service, instance).items()
        if field in fields
    }
    return {**stack.base_environment(), **given, **decided}


def _decided(stack: Stack, service: str, instance: str) -> dict[str, str]:
    operator = stack.configuration.operator
    access_key, secret_key = stack.s3_keys("files")
    values = {
        "instance": instance,
        "run_dir": str(stack.run_dir),
        "public_url": operator.public_address,
        "client_origins": ",".join(operator.browser_origins),
        "internal_key": stack.secrets["internal_key"],
        "master_key": stack.secrets["master_key"],
        "s3_endpoint": stack.s3_endpoint,
        "s3_access_key": access_key,
        "s3_secret_key": secret_key,
        "s3_bucket": operator.s3_bucket,
        "s3_region": operator.s3_region,
        "smtp_url": stack.smtp_url,
        "mail_from": operator.mail_from,
    }
    if "postgres_url" in settings_of(service).model_fields:
        values["postgres_url"] = stack.database_url(service)
        values["amqp_url"] = stack.amqp_url(service)
    return values
