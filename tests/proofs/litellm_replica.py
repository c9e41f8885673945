"""One replica of LiteLLM's proxy, without its database: run by the Python that has LiteLLM.

`litellm_replica.py SETUP PORT`. Teams and keys come from SETUP into LiteLLM's own cache, where it
looks before it asks a database; what is spent is in Redis, as between real replicas. All that
judges a call is LiteLLM's own code. The management API needs the database and is not run here, but
what `aspora gateway sync` would send is checked against LiteLLM's own request models.
"""

# mypy: disable-error-code="import-not-found"
from __future__ import annotations

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")

import redis
import uvicorn
from litellm.proxy import _types, proxy_server


class Nothing:
    """A database without a row: every question has the answer None."""

    def __getattr__(self, name: str) -> Nothing:
        if name.startswith("__"):
            raise AttributeError(name)
        return Nothing()

    def __call__(self, *_: Any, **__: Any) -> Any:
        async def nothing() -> None:
            return None

        return nothing()


def check_requests(setup: dict[str, Any]) -> None:
    """The bodies of `aspora gateway sync`, read by LiteLLM: a field it does not know stops us."""
    models = {
        "/team/new": _types.NewTeamRequest,
        "/team/update": _types.UpdateTeamRequest,
        "/key/generate": _types.GenerateKeyRequest,
        "/key/update": _types.UpdateKeyRequest,
        "/key/delete": _types.KeyRequest,
        "/key/block": _types.BlockKeyRequest,
        "/team/block": _types.BlockTeamRequest,
    }
    for path, body in setup["requests"]:
        unknown = body.keys() - models[path].model_fields.keys()
        if unknown:
            sys.exit(f"LiteLLM knows no {', '.join(sorted(unknown))} of {path}")
        models[path](**body)


async def fill(setup: dict[str, Any]) -> None:
    """Teams and keys as if LiteLLM had read them from its database a moment ago."""
    cache = proxy_server.user_api_key_cache
    counters = redis.Redis(
        port=int(os.environ["REDIS_PORT"]), password=os.environ["REDIS_PASSWORD"]
    )
    for team in setup["teams"]:
        name = team["team_id"]
        row = _types.LiteLLM_TeamTableCachedObj(**team, spend=0.0)
        await cache.async_set_cache(key=f"team_id:{name}", value=row, ttl=3600)
        counters.set(f"spend:team:{name}", 0, nx=True)
    for key in setup["keys"]:
        token = _types.hash_token(key["key"])
        body = {name: value for name, value in key.items() if name != "key"}
        row = _types.UserAPIKeyAuth(token=token, api_key=token, spend=0.0, **body)
        await cache.async_set_cache(key=token, value=row, ttl=3600)
        counters.set(f"spend:key:{token}", 0, nx=True)


async def main() -> None:
    setup = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    check_requests(setup)
    await proxy_server.initialize(config=setup["config"])
    proxy_server.prisma_client = Nothing()
    await fill(setup)
    serving = uvicorn.Config(
        proxy_server.app, host="127.0.0.1", port=int(sys.argv[2]), log_level="error", lifespan="off"
    )
    await uvicorn.Server(serving).serve()


if __name__ == "__main__":
    asyncio.run(main())
