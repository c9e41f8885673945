"""boto3's clients and botocore's models for the stand-in, each made once and shared by threads."""

from __future__ import annotations

import os
import threading
from typing import Any

# botocore's variables: (name in the file, variable of the environment, default, conversion)
_NOTHING_OF_THE_USER = {
    "profile": (None, None, None, None),
    "config_file": (None, None, os.devnull, None),
    "credentials_file": (None, None, os.devnull, None),
}


class Clients:
    """The clients of one moto server. They never read credentials or settings of the user."""

    def __init__(self, endpoint_url: str | None) -> None:
        self.endpoint_url = endpoint_url
        self._made: dict[tuple[str, str], Any] = {}
        self._models: dict[str, tuple[Any, dict[str, str]]] = {}
        self._session: Any = None
        self._boto3: Any = None
        self._lock = threading.RLock()

    def api(self, service: str, region: str) -> Any:
        """The boto3 client of a service."""
        with self._lock:
            if (service, region) not in self._made:
                self._made[service, region] = self._make(service, region)
            return self._made[service, region]

    def operation(self, service: str, name: str) -> Any:
        """botocore's model of a call, `create_vpc`; no client is needed. KeyError: no such call."""
        from botocore import xform_name

        with self._lock:
            if service not in self._models:
                model = self._botocore().get_service_model(service)
                wires = {xform_name(wire): wire for wire in model.operation_names}
                self._models[service] = (model, wires)
            model, wires = self._models[service]
            return model.operation_model(wires[name])

    def _botocore(self) -> Any:
        from botocore.session import Session

        if self._session is None:
            self._session = Session(session_vars=_NOTHING_OF_THE_USER)
        return self._session

    def _make(self, service: str, region: str) -> Any:
        from boto3.session import Session
        from botocore.config import Config

        if self._boto3 is None:
            self._boto3 = Session(
                botocore_session=self._botocore(),
                aws_access_key_id="local",
                aws_secret_access_key="local",  # noqa: S106 - moto takes anything
            )
        config = Config(
            proxies={},
            retries={"total_max_attempts": 2},
            max_pool_connections=32,  # the engine asks 16 at a time, and each may ask twice
            connect_timeout=5,
            read_timeout=30,
            s3={"addressing_style": "path"},
            ignore_configured_endpoint_urls=True,
        )
        return self._boto3.client(
            service, region_name=region, endpoint_url=self.endpoint_url, config=config
        )
