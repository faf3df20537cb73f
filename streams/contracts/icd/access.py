"""Accounts and quotas of documents against the broker's access rules and quotas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from streams.contracts.icd.findings import Drift, Place

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from streams.contracts.icd.document import Access
    from streams.contracts.icd.live import Grant, Live
    from streams.contracts.icd.loading import Loaded

QUOTAS: Final = {
    "producer_bytes_per_s": "producer_byte_rate",
    "consumer_bytes_per_s": "consumer_byte_rate",
    "request_percent": "request_percentage",
}
"""Names in documents to the broker's."""
EVERYBODY: Final = "User:*"


def access_drift(access: Access, grants: Sequence[Grant], place: Place) -> Iterator[Drift]:
    """Rights that are missing, and rights of accounts that the document does not know.

    Args:
        access: What the document says of a topic.
        grants: The broker's rules.
        place: The topic.
    """
    about = [grant for grant in grants if grant.covers(place.subject)]
    for field, operation, known in (
        ("read", "READ", access.read),
        ("write", "WRITE", access.write),
    ):
        for number, account in enumerate(known):
            if not _may(account, operation, about):
                text = f"{account} may not {operation} it on the broker, the document lets it"
                yield place.drift("access_drift", text, "access", field, number)
        for stranger in sorted(_allowed(operation, about) - set(known)):
            text = f"{stranger} may {operation} it on the broker, the document does not know that"
            yield place.drift("access_drift", text, "access", field)


def _may(account: str, operation: str, grants: Iterable[Grant]) -> bool:
    """Whether an account may do something: a denial goes before every permission."""
    mine = [
        grant
        for grant in grants
        if grant.principal in {account, EVERYBODY} and grant.operation in {operation, "ALL"}
    ]
    return any(grant.allows for grant in mine) and all(grant.allows for grant in mine)


def _allowed(operation: str, grants: Sequence[Grant]) -> set[str]:
    accounts = {
        grant.principal
        for grant in grants
        if grant.allows and grant.operation in {operation, "ALL"}
    }
    return {account for account in accounts if _may(account, operation, grants)}


def quota_drift(loaded: Loaded, live: Live) -> Iterator[Drift]:
    """Quotas that the broker does not have as the document says."""
    if live.quotas is None:
        return
    for number, quota in enumerate(loaded.document.quotas):
        found = live.quotas.get(quota.account.removeprefix("User:"), {})
        place = Place(loaded, ("quotas", number), f"quota of {quota.account}")
        for name, promised in quota.model_dump(exclude_none=True, exclude={"account"}).items():
            actual = found.get(QUOTAS[name])
            if actual != promised:
                told = "is not set" if actual is None else f"is {actual:g}"
                text = f"{name} {told} on the broker, the document says {promised:g}"
                yield place.drift("quota_drift", text, name)
