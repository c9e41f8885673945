"""Where `aspora prices refresh` reads price lists: a file, or an address on the Internet."""

from __future__ import annotations

import shutil
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from aspora import snapshot
from aspora.errors import EnvironmentFailure, UsageError
from aspora.price_lists import Listing, aws, openrouter, spot
from aspora.problems import quoted

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, PoolManager

OPENROUTER = "https://openrouter.ai/api/v1/models"
OFFER = "https://pricing.us-east-1.amazonaws.com/offers/v1.0/aws/{offer}/current/{region}/index.csv"
LOOPBACK = ("127.0.0.1", "::1", "localhost")
CONNECT_SECONDS, READ_SECONDS = 10.0, 60.0
MOST_REDIRECTS = 5
MOST_PAGES = 20
MOST_BYTES = 2 * 1024**3
"""Of one list on its way; EC2's of us-east-1 has some hundred megabytes."""
MOST_JSON_BYTES = 256 * 1024**2
"""Of a list that is read whole."""
OFFLINE = "without the Internet, name a file: aspora prices refresh --from FILE"


def default_sources(region: str) -> tuple[str, ...]:
    """OpenRouter's models and AWS' offers of the region."""
    return (OPENROUTER, *(OFFER.format(offer=offer, region=region) for offer in aws.OFFERS))


def listing(
    source: str, region: str, units: Mapping[str, str], routes: Mapping[str, str], today: date
) -> Listing:
    """What the list at `source` says, whichever of the known formats it has.

    Raises UsageError for a source that cannot be, EnvironmentFailure for one that does not answer,
    AsporaError for a text that is no price list.
    """
    with _local_copy(source) as file:
        if _starts_as_csv(file):
            with file.open(encoding="utf-8", errors="replace", newline="") as lines:
                return aws.from_csv(lines, source, region, units)
        raw = _json(file, source)
    if openrouter.recognised(raw):
        return openrouter.listing(_all_pages(raw, source), source, today, routes)
    if aws.recognised(raw):
        return aws.from_json(raw, source, region, units)
    if spot.recognised(raw):
        return spot.listing(raw, source, region)
    raise UsageError(
        f"{source} is no price list that is known here",
        hint="known are OpenRouter's models, AWS' offer files (JSON or CSV) and the answer of"
        " aws ec2 describe-spot-price-history",
    )


def _starts_as_csv(file: Path) -> bool:
    with file.open("rb") as head:
        return head.read(64).lstrip(b"\xef\xbb\xbf").startswith(aws.CSV_START.encode())


def _json(file: Path, source: str) -> dict[str, Any]:
    if file.stat().st_size > MOST_JSON_BYTES:
        raise EnvironmentFailure(
            f"{source} is too large to be read as JSON",
            hint="AWS has the same list as CSV, which is read row by row: index.csv",
        )
    return snapshot.parsed(file.read_text("utf-8", "replace"), source)


def _all_pages(raw: dict[str, Any], source: str) -> dict[str, Any]:
    """OpenRouter may cut its list: `next` is the address of what follows."""
    data, following = list(raw["data"]), raw.get("next")
    for _ in range(MOST_PAGES):
        if not isinstance(following, str) or not following or not _is_address(source):
            return raw | {"data": data}
        address = urljoin(source, following)
        if urlsplit(address).netloc != urlsplit(source).netloc:
            raise EnvironmentFailure(f"{source} goes on at another host: {quoted(address)}")
        with _local_copy(address) as file:
            page = _json(file, address)
        data += page["data"] if isinstance(page.get("data"), list) else []
        following = page.get("next")
    raise EnvironmentFailure(f"{source} has more than {MOST_PAGES} pages")


def _is_address(source: str) -> bool:
    return "://" in source


@contextmanager
def _local_copy(source: str) -> Iterator[Path]:
    """The list as a file of this machine: a download goes away afterwards."""
    if not _is_address(source):
        file = Path(source)
        if not file.is_file():
            raise UsageError(f"there is no file {quoted(source)}", hint="or an https:// address")
        yield file
        return
    with tempfile.TemporaryDirectory(prefix="aspora-prices-") as folder:
        file = Path(folder) / "list"
        _download(source, file)
        yield file


def _download(address: str, file: Path) -> None:
    import urllib3

    try:
        response = _open(address)
        try:
            with file.open("wb") as target:
                shutil.copyfileobj(_Bounded(response, address), target, 1 << 20)
        finally:
            response.close()
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        reason = str(error).rpartition(": ")[2] or type(error).__name__
        raise EnvironmentFailure(f"{address} cannot be read: {reason}", hint=OFFLINE) from None


class _Bounded:
    """A response that ends in an error when it is longer than any list."""

    def __init__(self, response: BaseHTTPResponse, address: str) -> None:
        self._response, self._address, self._read = response, address, 0

    def read(self, size: int = -1) -> bytes:
        """The next bytes, decoded."""
        data: bytes = self._response.read(size, decode_content=True)
        self._read += len(data)
        if self._read > MOST_BYTES:
            raise EnvironmentFailure(f"{self._address} is larger than any price list")
        return data


def _open(address: str) -> BaseHTTPResponse:
    """Redirects are followed by hand, so that none leaves HTTPS."""
    import urllib3

    timeout = urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS)
    for _ in range(MOST_REDIRECTS):
        _refuse_plain(address)
        response = _pool(address).request(
            "GET", address, redirect=False, retries=False, preload_content=False, timeout=timeout
        )
        target = response.get_redirect_location()
        if not target:
            break
        response.close()
        address = urljoin(address, target)
    if response.status != 200:
        response.close()
        raise EnvironmentFailure(f"{address} answers {response.status}", hint=OFFLINE)
    return response


def _refuse_plain(address: str) -> None:
    """A price list that somebody on the way can change is no source; loopback is for tests."""
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise UsageError(f"{quoted(address)} is no https:// address")


def _pool(address: str) -> PoolManager:
    """Through the proxy that the environment names, if it names one."""
    import urllib3

    parts = urlsplit(address)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy and not urllib.request.proxy_bypass(parts.hostname or ""):
        return urllib3.ProxyManager(proxy)
    return urllib3.PoolManager()
