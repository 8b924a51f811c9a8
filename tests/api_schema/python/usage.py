"""Every operation of v1 through the generated Python client; the test runs it with v2 in v1's place, too.

    python usage.py URL EMAIL PASSWORD MAILBOX    # of a staff user who may be deleted; MAILBOX has the links in mails

mypy checks it beside the client that it is made for, with --strict.
"""

from __future__ import annotations

import base64
import hmac
import sys
import time
from io import BytesIO
from uuid import UUID, uuid4

import httpx
from api_client import AuthenticatedClient, Client
from api_client.api.v1 import (
    v1_auth_email,
    v1_auth_email_undo,
    v1_auth_email_verification,
    v1_auth_email_verification_resend,
    v1_auth_logout,
    v1_auth_password,
    v1_auth_password_reset,
    v1_auth_password_reset_confirm,
    v1_auth_sessions_end,
    v1_auth_sessions_end_others,
    v1_auth_sessions_list,
    v1_auth_token,
    v1_auth_token_refresh,
    v1_auth_totp_begin,
    v1_auth_totp_confirm,
    v1_auth_totp_remove,
    v1_events_list,
    v1_process,
    v1_tasks_cancel,
    v1_tasks_errors,
    v1_tasks_retrieve,
    v1_users_delete,
    v1_users_import,
    v1_users_list,
    v1_users_me_delete,
    v1_users_me_export,
    v1_users_me_retrieve,
    v1_users_me_update,
    v1_users_register,
    v1_users_retrieve,
    v1_users_update,
    v1_webhooks_create,
    v1_webhooks_delete,
    v1_webhooks_deliveries,
    v1_webhooks_delivery_retry,
    v1_webhooks_list,
    v1_webhooks_retrieve,
    v1_webhooks_rotate_secret,
    v1_webhooks_test,
    v1_webhooks_update,
)
from api_client.models import (
    CredentialsRequest,
    DeliveryAccepted,
    DeliveryPage,
    EmailBodyRequest,
    EndpointAnswer,
    EndpointBodyRequest,
    EndpointChangesRequest,
    EndpointPage,
    EndpointWithSecret,
    EventType,
    Feed,
    JobStatus,
    LeavingRequest,
    NewPasswordBodyRequest,
    NewUserRequest,
    OtpCodeRequest,
    PasswordBodyRequest,
    ProblemDocument,
    RecoveryAnswer,
    RefreshBodyRequest,
    ResetBodyRequest,
    SessionList,
    TableRequest,
    TableRequestRowsItem,
    Task,
    TaskAccepted,
    TaskResultType0,
    TokenAnswer,
    TokenBodyRequest,
    TotpAnswer,
    UserChangesRequest,
    UserPageV1,
    UserV1,
)
from api_client.types import UNSET, File, Unset


def tokens(client: Client, email: str, password: str) -> str:
    """Log in, and refresh in two tabs with one key; returns an access token."""
    refused = v1_auth_token.sync(client=client, body=CredentialsRequest(email, "no password of anybody"))
    assert isinstance(refused, ProblemDocument)
    assert (refused.status, refused.code) == (401, "wrong_credentials")
    pair = v1_auth_token.sync(client=client, body=CredentialsRequest(email, password))
    assert isinstance(pair, TokenAnswer)
    key, body = str(uuid4()), RefreshBodyRequest(pair.refresh)
    first = v1_auth_token_refresh.sync(client=client, body=body, idempotency_key=key)
    second = v1_auth_token_refresh.sync(client=client, body=body, idempotency_key=key)
    assert isinstance(first, TokenAnswer)
    assert first == second
    return first.access


def account(url: str, password: str, mailbox: str) -> None:
    """Verify an address, change it and undo that, change the password and reset it; of a user who is there already."""
    old, new, another = "account-v1@example.com", "changed-v1@example.com", "quite another phrase"

    def mailed(address: str) -> TokenBodyRequest:
        return TokenBodyRequest(httpx.get(f"{mailbox}/{address}", timeout=60, trust_env=False).raise_for_status().text)

    with Client(url, raise_on_unexpected_status=True) as anyone:
        access = tokens(anyone, old, password)
        with AuthenticatedClient(url, access, raise_on_unexpected_status=True) as client:
            mailed(old)
            assert v1_auth_email_verification_resend.sync_detailed(client=client).status_code == 202
            verified = v1_auth_email_verification.sync_detailed(client=anyone, body=mailed(old))
            assert verified.status_code == 204
            used = v1_auth_email_verification.sync(client=anyone, body=TokenBodyRequest("used"))
            assert isinstance(used, ProblemDocument)
            assert used.code == "invalid_token"
            change = PasswordBodyRequest(current=password, new=another)
            assert v1_auth_password.sync_detailed(client=client, body=change).status_code == 204
            assert v1_auth_email.sync_detailed(client=client, body=EmailBodyRequest(new, another)).status_code == 202
        assert v1_auth_email_verification.sync_detailed(client=anyone, body=mailed(new)).status_code == 204
        assert v1_auth_email_undo.sync_detailed(client=anyone, body=mailed(old)).status_code == 204
        assert v1_auth_password_reset.sync_detailed(client=anyone, body=ResetBodyRequest(old)).status_code == 202
        body = NewPasswordBodyRequest(token=mailed(old).token, password=password)
        assert v1_auth_password_reset_confirm.sync_detailed(client=anyone, body=body).status_code == 204
        tokens(anyone, old, password)


def sessions(url: str, email: str, password: str) -> None:
    """Log in twice, see both, end the other one, then all others, and log out."""
    with Client(url, raise_on_unexpected_status=True) as client:
        first, second = tokens(client, email, password), tokens(client, email, password)
    with AuthenticatedClient(url, second, raise_on_unexpected_status=True) as client_of_second:
        listed = v1_auth_sessions_list.sync(client=client_of_second)
        assert isinstance(listed, SessionList)
        newest, before = listed.results[:2]
        assert (newest.current, before.current) == (True, False)
        assert newest.network == "127.0.0.0/24"
        assert v1_auth_sessions_end.sync_detailed(before.id, client=client_of_second).status_code == 204
        assert v1_auth_sessions_end_others.sync_detailed(client=client_of_second).status_code == 204
        assert v1_auth_logout.sync_detailed(client=client_of_second).status_code == 204
    with AuthenticatedClient(url, first, raise_on_unexpected_status=True) as client_of_first:
        refused = v1_auth_sessions_list.sync(client=client_of_first)
        assert isinstance(refused, ProblemDocument)
        assert refused.status == 401


def second_factor(url: str, email: str, password: str) -> None:
    """Set it up, log in with it, and remove it."""
    with Client(url, raise_on_unexpected_status=True) as client:
        access = tokens(client, email, password)
        with AuthenticatedClient(url, access, raise_on_unexpected_status=True) as client_of_user:
            drawn = v1_auth_totp_begin.sync(client=client_of_user)
            assert isinstance(drawn, TotpAnswer)
            assert drawn.qr.startswith("<svg")
            code = OtpCodeRequest(code_of(drawn.secret))
            codes = v1_auth_totp_confirm.sync(client=client_of_user, body=code)
            assert isinstance(codes, RecoveryAnswer)
            asked = v1_auth_token.sync(client=client, body=CredentialsRequest(email, password))
            assert isinstance(asked, ProblemDocument)
            assert (asked.status, asked.code) == (401, "otp_required")
            first, second = codes.recovery_codes[:2]
            pair = v1_auth_token.sync(client=client, body=CredentialsRequest(email, password, otp=first))
            assert isinstance(pair, TokenAnswer)
            removed = v1_auth_totp_remove.sync_detailed(client=client_of_user, body=OtpCodeRequest(second))
            assert removed.status_code == 204


def code_of(secret: str) -> str:
    """What an authenticator app shows now (RFC 6238)."""
    counter = (int(time.time()) // 30).to_bytes(8, "big")
    digest = hmac.digest(base64.b32decode(secret), counter, "sha1")
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at : at + 4], 'big') & 0x7FFFFFFF) % 10**6:06}"


def users(client: AuthenticatedClient) -> None:
    """Register, read, change, delete."""
    refused = v1_users_register.sync(client=client, body=NewUserRequest("v1@example.com", ""))
    assert isinstance(refused, ProblemDocument)
    assert not isinstance(refused.errors, Unset)
    assert refused.errors[0].pointer == "/name"
    made = v1_users_register.sync(client=client, body=NewUserRequest("v1@example.com", "Ada"))
    assert isinstance(made, UserV1)
    read = v1_users_retrieve.sync_detailed(made.id, client=client)
    assert isinstance(read.parsed, UserV1)
    assert read.parsed.created_at == made.created_at
    same = v1_users_retrieve.sync_detailed(made.id, client=client, if_none_match=read.headers["ETag"])
    assert same.status_code == 304
    name = UserChangesRequest(name="Ada King")
    changed = v1_users_update.sync(made.id, client=client, body=name, if_match=read.headers["ETag"])
    assert isinstance(changed, UserV1)
    assert (changed.id, changed.name) == (made.id, "Ada King")
    late = v1_users_update.sync(made.id, client=client, body=name, if_match=read.headers["ETag"])
    assert isinstance(late, ProblemDocument)
    assert late.code == "precondition_failed"
    assert "v1@example.com" in emails(client)
    assert v1_users_delete.sync_detailed(made.id, client=client).status_code == 204


def emails(client: AuthenticatedClient) -> set[str]:
    """The e-mails of all users, page by page."""
    found: set[str] = set()
    cursor: str | Unset = UNSET
    while True:
        page = v1_users_list.sync(client=client, limit=2, is_active=True, search="@example.com", cursor=cursor)
        assert isinstance(page, UserPageV1)
        found |= {user.email for user in page.results}
        if page.next_ is None:
            return found
        cursor = page.next_


def jobs(client: AuthenticatedClient) -> None:
    """Start one job and cancel it, start another and wait for it."""
    table = TableRequest([TableRequestRowsItem.from_dict({"city": "London", "people": 8.9, "tags": ["big"]})])
    begun = v1_process.sync(client=client, body=table)
    assert isinstance(begun, TaskAccepted)
    cancelled = v1_tasks_cancel.sync(begun.task_id, client=client)
    assert isinstance(cancelled, Task)
    assert (cancelled.status, cancelled.result) == (JobStatus.REVOKED, None)
    sent = v1_users_import.sync(client=client, body=File(BytesIO(b"email,name\nimported-v1@example.com,Ada\nx,y\n")))
    assert isinstance(sent, TaskAccepted)
    done = finished(client, sent.task_id)
    assert isinstance(done.result, TaskResultType0)
    assert (done.kind, done.result["created"], done.result["rejected"]) == ("import_users", 1, 1)
    refused = v1_tasks_errors.sync(sent.task_id, client=client)
    assert isinstance(refused, str)
    assert refused.splitlines()[0] == "line,code,detail"


def finished(client: AuthenticatedClient, task_id: UUID) -> Task:
    """The task, once it has ended."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        task = v1_tasks_retrieve.sync(task_id, client=client)
        assert isinstance(task, Task)
        if task.status in (JobStatus.SUCCESS, JobStatus.FAILURE):
            return task
        time.sleep(0.05)
    raise AssertionError(task_id)


def exported(client: AuthenticatedClient) -> None:
    """Ask for what is kept about the caller, and change one's mind."""
    export = v1_users_me_export.sync(client=client)
    assert isinstance(export, TaskAccepted)
    assert v1_tasks_cancel.sync_detailed(export.task_id, client=client).status_code == 202


def webhooks(client: AuthenticatedClient) -> None:
    """An endpoint from creation to deletion, and what was sent to it."""
    body = EndpointBodyRequest("https://example.com/v1", event_types=[EventType.USER_CREATED], description="")
    made = v1_webhooks_create.sync(client=client, body=body)
    assert isinstance(made, EndpointWithSecret)
    assert made.secret.startswith("whsec_")
    shown = v1_webhooks_retrieve.sync(made.id, client=client)
    assert isinstance(shown, EndpointAnswer)
    assert (shown.id, shown.event_types) == (made.id, ["user.created"])
    changed = v1_webhooks_update.sync(made.id, client=client, body=EndpointChangesRequest(description="CRM"))
    assert isinstance(changed, EndpointAnswer)
    assert changed.description == "CRM"
    rotated = v1_webhooks_rotate_secret.sync(made.id, client=client)
    assert isinstance(rotated, EndpointWithSecret)
    assert rotated.secret != made.secret
    listed = v1_webhooks_list.sync(client=client)
    assert isinstance(listed, EndpointPage)
    assert [endpoint.id for endpoint in listed.results] == [made.id]
    deliveries(client, made.id)
    assert v1_webhooks_delete.sync_detailed(made.id, client=client).status_code == 204


def deliveries(client: AuthenticatedClient, webhook_id: int) -> None:
    """Send a test message, and then the same one again."""
    sent = v1_webhooks_test.sync(webhook_id, client=client)
    assert isinstance(sent, DeliveryAccepted)
    again = v1_webhooks_delivery_retry.sync(webhook_id, sent.delivery_id, client=client)
    assert isinstance(again, DeliveryAccepted)
    page = v1_webhooks_deliveries.sync(webhook_id, client=client, limit=1)
    assert isinstance(page, DeliveryPage)
    (delivery,) = page.results
    assert (delivery.id, delivery.event_id, delivery.payload["type"]) == (sent.delivery_id, None, "webhook.test")


def feed(client: AuthenticatedClient) -> None:
    """The events of users that were made, in order; the cursor leads on from there."""
    page = v1_events_list.sync(client=client, type_=EventType.USER_CREATED, limit=100)
    assert isinstance(page, Feed)
    assert "imported-v1@example.com" in [event.data["email"] for event in page.results]
    rest = v1_events_list.sync(client=client, type_=EventType.USER_CREATED, cursor=page.next_)
    assert isinstance(rest, Feed)
    assert (rest.results, rest.next_) == ([], page.next_)


def me(client: AuthenticatedClient, password: str) -> None:
    """Read and change the caller, and delete them at the end."""
    read = v1_users_me_retrieve.sync(client=client)
    assert isinstance(read, UserV1)
    changed = v1_users_me_update.sync(client=client, body=UserChangesRequest(name="Leaving"))
    assert isinstance(changed, UserV1)
    assert (changed.id, changed.name) == (read.id, "Leaving")
    exported(client)
    assert v1_users_me_delete.sync_detailed(client=client, body=LeavingRequest(password)).status_code == 204


def main(url: str, email: str, password: str, mailbox: str) -> None:
    """Use every operation."""
    account(url, password, mailbox)
    sessions(url, email, password)
    second_factor(url, email, password)
    with Client(url, raise_on_unexpected_status=True) as client:
        access = tokens(client, email, password)
    with AuthenticatedClient(url, access, raise_on_unexpected_status=True) as client_of_staff:
        for part in (users, jobs, webhooks, feed):
            part(client_of_staff)
        me(client_of_staff, password)


if __name__ == "__main__":
    main(*sys.argv[1:])
