"""How a program logs in at PostgreSQL, and what PostgreSQL keeps of a password.

RDS logs statements that change roles, passwords in them included. So a password is never sent: the
server takes its SCRAM verifier as well, from which nobody finds the password (RFC 5802, 7677).
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import pbkdf2_hmac, sha256
from hmac import digest

ITERATIONS = 4096
"""PostgreSQL's own number (src/include/common/scram-common.h); RFC 7677 asks for no fewer."""
SALT_BYTES = 16


def verifier(password: str, salt: bytes) -> str:
    """As PostgreSQL keeps it: SCRAM-SHA-256$4096:<salt>$<stored key>:<server key>."""
    salted = pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    stored = sha256(digest(salted, b"Client Key", "sha256")).digest()
    server = digest(salted, b"Server Key", "sha256")
    parts = (b64encode(part).decode() for part in (salt, stored, server))
    return "SCRAM-SHA-256${}:{}${}:{}".format(ITERATIONS, *parts)


def passfile(host: str, port: str, user: str, password: str) -> str:
    """The one line of a PGPASSFILE; `:` and `\\` are escaped (libpq, The Password File)."""
    where, who = [escaped(host), escaped(port)], [escaped(user), escaped(password)]
    return ":".join((*where, "*", *who)) + "\n"


def escaped(field: str) -> str:
    """One field of a PGPASSFILE."""
    return re.sub(r"([\\:])", r"\\\1", field)
