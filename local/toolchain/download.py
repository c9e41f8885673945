"""Official release files, taken only when their publisher's checksum matches."""

from __future__ import annotations

import io
import re
import shutil
import tarfile
import time
import urllib.request
import zlib
from typing import IO, TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from local.toolchain.cache import sha256
from local.toolchain.faults import NoWayError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from urllib3 import BaseHTTPResponse, PoolManager

    from local.progress import Step
    from local.toolchain.table import Download

CONNECT_SECONDS = 3.0
READ_SECONDS = 30.0
MAX_REDIRECTS = 5
BLOCK = 1 << 20


class Downloader:
    """Fetches files for one run; a host that could not be reached is not asked again."""

    def __init__(self, env: Mapping[str, str], *, schemes: tuple[str, ...] = ("https",)) -> None:
        self._off = env.get("ASPORA_DOWNLOADS", "").lower() in {"off", "0", "false", "no"}
        self._schemes = schemes
        self._dead: dict[str, str] = {}

    def fetch(self, download: Download, name: str, folder: Path, step: Step) -> Path:
        """The program `name`, in `folder`. Raises NoWayError."""
        if self._off:
            raise NoWayError("switched off by ASPORA_DOWNLOADS")
        step.update("asking for the checksum")
        answer = io.BytesIO()
        self._copy(download.checksums, answer)
        wanted = _checksum_for(download, answer.getvalue().decode(errors="replace"))
        file = folder / "download"
        with file.open("wb") as target:
            self._copy(download.url, target, step)
        found = sha256(file)
        if found != wanted:
            raise NoWayError(
                f"{download.url} is not what its publisher put there: its checksum is "
                f"{found[:12]}…, not {wanted[:12]}… (damaged on the way, or replaced)"
            )
        program = folder / name
        if not download.member:
            return file.rename(program)
        _unpack(file, download, program)
        file.unlink()
        return program

    def _copy(self, url: str, target: IO[bytes], step: Step | None = None) -> None:
        import urllib3

        response = self._open(url)
        total = int(response.headers.get("Content-Length") or 0)
        read, shown = 0, time.monotonic()
        try:
            while block := response.read(BLOCK, decode_content=False):
                target.write(block)
                read += len(block)
                if step and time.monotonic() - shown > 0.5:
                    shown = time.monotonic()
                    step.update(f"{read / 1e6:.0f} of {total / 1e6:.0f} MB")
        except urllib3.exceptions.HTTPError as error:
            raise NoWayError(f"{url} broke off after {read} bytes ({error})") from None
        finally:
            response.close()

    def _open(self, url: str) -> BaseHTTPResponse:
        """Redirects are followed by hand: each host is judged, and none may leave HTTPS."""
        for _ in range(MAX_REDIRECTS):
            response = self._ask(url)
            target = response.get_redirect_location()
            if target:
                response.close()
                url = urljoin(url, target)
            elif response.status == 200:
                return response
            else:
                response.close()
                raise NoWayError(f"{url} answers {response.status}")
        raise NoWayError(f"{url} leads in circles")

    def _ask(self, url: str) -> BaseHTTPResponse:
        import urllib3

        parts = urlsplit(url)
        host = parts.netloc
        if parts.scheme not in self._schemes:
            raise NoWayError(f"{url} is not HTTPS")
        if host in self._dead:
            raise NoWayError(f"{host} cannot be reached ({self._dead[host]})")
        try:
            return _pool(parts.scheme, parts.hostname or "").request(
                "GET",
                url,
                redirect=False,
                retries=False,
                preload_content=False,
                timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            self._dead[host] = _reason(error)
            raise NoWayError(f"{host} cannot be reached ({self._dead[host]})") from None


def _pool(scheme: str, host: str) -> PoolManager:
    """Through the proxy that the environment names, if it names one."""
    import urllib3

    proxy = urllib.request.getproxies().get(scheme)
    if proxy and not urllib.request.proxy_bypass(host):
        return urllib3.ProxyManager(proxy)
    return urllib3.PoolManager()


def _reason(error: Exception) -> str:
    """The operating system's own words where urllib3's message holds them."""
    words = re.search(r"\[Errno -?\d+\] ([\w ,.-]+)", str(error))
    return words[1] if words else str(error).rsplit(": ", 1)[-1][:120] or type(error).__name__


def _checksum_for(download: Download, listed: str) -> str:
    """The file's SHA-256 in its publisher's list, or the only one where there is no list."""
    name = urlsplit(download.url).path.rsplit("/", 1)[-1]
    found = []
    for line in listed.splitlines():
        words = line.split()
        if words and re.fullmatch(r"[0-9a-fA-F]{64}", words[0]):
            of = words[1].lstrip("*").rsplit("/", 1)[-1] if len(words) > 1 else name
            if of == name:
                found.append(words[0].lower())
    if len(found) != 1:
        raise NoWayError(f"{download.checksums} names no checksum of {name}")
    return found[0]


def _unpack(archive: Path, download: Download, program: Path) -> None:
    """Take one member out of an archive, and nothing else."""
    try:
        with tarfile.open(archive) as tar:
            member = tar.extractfile(download.member) or io.BytesIO()
            with member, program.open("wb") as target:
                shutil.copyfileobj(member, target, BLOCK)
    except (tarfile.TarError, EOFError, zlib.error, KeyError) as error:
        raise NoWayError(f"{download.url} holds no {download.member} ({error})") from None
