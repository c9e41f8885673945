"""Run by the Python of Phoenix's own environment: Phoenix, on the loopback address alone.

It has a setting for the address of its pages, and none for its gRPC port, which it opens on every
address of the machine.
"""

from importlib import import_module
from typing import Any

LOOPBACK = "127.0.0.1"


def main() -> None:
    """Start the server with what the environment says."""
    server = import_module("grpc.aio._server").Server
    anywhere = server.add_insecure_port

    def here(self: Any, address: str) -> Any:
        return anywhere(self, f"{LOOPBACK}:{address.rpartition(':')[2]}")

    server.add_insecure_port = here
    import_module("phoenix.server.main").main()


if __name__ == "__main__":
    main()
