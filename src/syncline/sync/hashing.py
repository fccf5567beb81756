"""Salted hashes in place of values.

A hash is the HMAC-SHA-256 of a value's text in UTF-8, keyed with the salt of the destination, in Base64. Equal values
have equal hashes in all tables of a destination, so they can still be joined and counted; null stays null. Without the
salt, which never leaves Syncline, nobody can tell a value by hashing guesses.
"""

import hmac
from base64 import b64encode

import pyarrow as pa

from syncline.warehouses import types
from syncline.warehouses.types import ColumnType


def hashed(column: pa.ChunkedArray, column_type: ColumnType, salt: bytes) -> pa.ChunkedArray:
    """The column with a hash (text of 44 characters) in place of each value. Each distinct value is hashed once."""
    if column.num_chunks == 0:
        return pa.chunked_array([], pa.string())
    text = types.convert(column, column_type, types.STRING)
    encoded = text.combine_chunks().dictionary_encode()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.combine_chunks()
    hashes = pa.array([_hash(value, salt) for value in encoded.dictionary.to_pylist()], pa.string())
    return pa.chunked_array([hashes.take(encoded.indices)])


def _hash(value: str, salt: bytes) -> str:
    return b64encode(hmac.digest(salt, value.encode(), "sha256")).decode()
