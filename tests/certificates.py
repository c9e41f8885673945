"""A certificate authority and a leaf of it, as cert-manager puts them into a Secret."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

KEY_FORMAT = (
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)


def write(folder: Path, *hosts: str) -> None:
    """ca.crt, tls.crt and tls.key: good for both sides of a connection."""
    authority, leaf = (
        ec.generate_private_key(ec.SECP256R1()),
        ec.generate_private_key(ec.SECP256R1()),
    )
    root = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Aspora agents")])
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "leaf")])
    others = [x509.IPAddress(ip_address("127.0.0.1"))]
    names = x509.SubjectAlternativeName([*(x509.DNSName(host) for host in hosts), *others])
    ca = _begun(root, root, authority.public_key()).add_extension(
        x509.BasicConstraints(ca=True, path_length=None), critical=True
    )
    mine = _begun(name, root, leaf.public_key()).add_extension(names, critical=False)
    for file, builder in (("ca.crt", ca), ("tls.crt", mine)):
        signed = builder.sign(authority, hashes.SHA256())
        (folder / file).write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    (folder / "tls.key").write_bytes(leaf.private_bytes(*KEY_FORMAT))


def _begun(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + timedelta(hours=1))
    )
