"""A private certificate authority, and the certificates that a careful client must refuse."""

import ssl
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

import trustme

LOOPBACK_NAMES = ("localhost", "127.0.0.1", "127.0.0.2", "::1")


@dataclass(frozen=True)
class Certificate:
    """A server's certificate chain and its key, as PEM files."""

    chain: Path
    key: Path

    def context(self) -> ssl.SSLContext:
        """Return a TLS context for a server that shows this certificate."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.chain, self.key)
        return context


class Authority:
    """A private CA below `folder`; `bundle` is what TOURMAIL_CA_BUNDLE is set to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._ca = trustme.CA(organization_name="tourmail tests")
        self.bundle = folder / "ca.pem"
        self._ca.cert_pem.write_to_path(str(self.bundle))

    @cached_property
    def server(self) -> Certificate:
        """A good certificate for localhost and the loopback addresses."""
        return self._save("server", self._ca.issue_cert(*LOOPBACK_NAMES))

    @cached_property
    def expired(self) -> Certificate:
        """The right names, but its time ended in 2021."""
        start, end = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)
        leaf = self._ca.issue_cert(*LOOPBACK_NAMES, not_before=start, not_after=end)
        return self._save("expired", leaf)

    @cached_property
    def wrong_host(self) -> Certificate:
        """From the right authority, for another host."""
        return self._save("wrong-host", self._ca.issue_cert("mail.elsewhere.test"))

    @cached_property
    def untrusted(self) -> Certificate:
        """The right names, from an authority that `bundle` does not hold."""
        stranger = trustme.CA(organization_name="a stranger")
        return self._save("untrusted", stranger.issue_cert(*LOOPBACK_NAMES))

    def client_context(self) -> ssl.SSLContext:
        """Return a verifying TLS context that trusts this authority alone."""
        return ssl.create_default_context(cafile=str(self.bundle))

    def _save(self, name: str, leaf: trustme.LeafCert) -> Certificate:
        certificate = Certificate(self.folder / f"{name}.pem", self.folder / f"{name}.key")
        pem = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        certificate.chain.write_bytes(pem)
        certificate.key.touch(mode=0o600)
        certificate.key.write_bytes(leaf.private_key_pem.bytes())
        return certificate
