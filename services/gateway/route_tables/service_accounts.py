"""Accounts of programs, for administrators."""

from typing import Final

from services.gateway.route import IDEMPOTENCY_KEY, PAGING, Access, Route
from shared.schemas.api import auth, service_accounts
from shared.schemas.api.pages import Page

_ALL: Final = "/v1/auth/service-accounts"
_ONE: Final = f"{_ALL}/{{account_id}}"
_KEYS: Final = f"{_ONE}/api-keys"
_KEY: Final = f"{_KEYS}/{{key_id}}"

SERVICE_ACCOUNT_ROUTES: Final = (
    Route(
        method="POST",
        path=_ALL,
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Make an account for a program, which has nothing but API keys",
        status=201,
        request=service_accounts.ServiceAccountCreate,
        answer=service_accounts.ServiceAccount,
        parameters=(IDEMPOTENCY_KEY,),
    ),
    Route(
        method="GET",
        path=_ALL,
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="List the service accounts, newest first",
        answer=Page[service_accounts.ServiceAccount],
        parameters=PAGING,
    ),
    Route(
        method="GET",
        path=_ONE,
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Read a service account",
        answer=service_accounts.ServiceAccount,
    ),
    Route(
        method="DELETE",
        path=_ONE,
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Delete a service account, its keys, and what it holds elsewhere",
        status=204,
    ),
    Route(
        method="POST",
        path=f"{_ONE}/disable",
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Disable a service account; its keys stop working within a second",
        answer=service_accounts.ServiceAccount,
    ),
    Route(
        method="POST",
        path=f"{_ONE}/enable",
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Enable a service account; its keys work again within 16 minutes",
        answer=service_accounts.ServiceAccount,
    ),
    Route(
        method="POST",
        path=_KEYS,
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Make an API key for a service account; its secret is shown this once",
        status=201,
        request=auth.ApiKeyCreate,
        answer=auth.CreatedApiKey,
        parameters=(IDEMPOTENCY_KEY,),
    ),
    Route(
        method="GET",
        path=_KEYS,
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="List the API keys of a service account",
        answer=Page[auth.ApiKey],
        parameters=PAGING,
    ),
    Route(
        method="PATCH",
        path=_KEY,
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Rename an API key of a service account",
        request=auth.ApiKeyUpdate,
        answer=auth.ApiKey,
    ),
    Route(
        method="DELETE",
        path=_KEY,
        service="auth",
        access=Access.ADMINISTRATOR,
        summary="Delete an API key of a service account; it stops working within a second",
        status=204,
    ),
)
