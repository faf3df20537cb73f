"""Tokens in place of values: equal for equal values of a field, read back with the key alone."""

from __future__ import annotations

import base64
import binascii
import hashlib

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from streams.errors import Misconfigured, Poison

PREFIX = "tok"
KEY_BYTES = 64
"""AES-SIV with two keys of 256 bits (RFC 5297)."""


class Tokens:
    """Makes and opens tokens with one key.

    A value gives the same token in every record, so records can still be joined by it. A token
    carries the key's fingerprint, and is bound to its field: one field's token opens no other's.

    Args:
        key: 64 bytes, base64.

    Raises:
        Misconfigured: `bad_token_key`.
    """

    def __init__(self, key: str) -> None:
        try:
            octets = base64.b64decode(key, validate=True)
        except (binascii.Error, ValueError):
            octets = b""
        if len(octets) != KEY_BYTES:
            raise Misconfigured(
                f"the token key is not {KEY_BYTES} bytes in base64",
                code="bad_token_key",
                kept="no record was read",
                advice="make one with `openssl rand -base64 64 | tr -d '\\n'`",
            )
        self._cipher = AESSIV(octets)
        self.fingerprint = hashlib.sha256(octets).hexdigest()[:8]

    def token_of(self, value: str, field: str) -> str:
        """The token of a field's value.

        Args:
            value: What is hidden.
            field: `<full name of the type>.<field>`.
        """
        sealed = self._cipher.encrypt(value.encode(), [field.encode()])
        text = base64.urlsafe_b64encode(sealed).decode().rstrip("=")
        return f"{PREFIX}.{self.fingerprint}.{text}"

    def value_of(self, token: str, field: str) -> str:
        """What a token stands for.

        Raises:
            Poison: `bad_token`: it is none, of another field, or of another key.
        """
        parts = token.split(".")
        if len(parts) != 3 or parts[0] != PREFIX:
            raise _bad(f"{token!r} is no token")
        if parts[1] != self.fingerprint:
            raise _bad(f"the token is of the key {parts[1]}, this key is {self.fingerprint}")
        try:
            sealed = base64.urlsafe_b64decode(parts[2] + "=" * (-len(parts[2]) % 4))
            return self._cipher.decrypt(sealed, [field.encode()]).decode()
        except (InvalidTag, ValueError) as error:
            raise _bad(f"the token was altered, or is not of the field {field}") from error


def _bad(why: str) -> Poison:
    return Poison(why, code="bad_token", advice="give the token, its field and the right key")
