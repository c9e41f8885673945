"""docs/aws.md lists every AWS type that is declared, how many, and what plays it here."""

from __future__ import annotations

import re
from collections import Counter

from aspora.registered import aws_resources
from infra.registered_stack import registered
from local.providers.aws_types import TYPES, kept
from tests.core import ROOT

ROW = re.compile(r"^\| `([\w.]+)` \| (\d+) \| (\d+) \| (moto|kept) \|$", re.MULTILINE)


def short(token: str) -> str:
    """aws:s3/bucket:Bucket as people write it: s3.Bucket."""
    module, _, rest = token.removeprefix("aws:").partition("/")
    return f"{module}.{rest.partition(':')[2]}"


def test_the_page_is_true() -> None:
    counts = {
        stack: Counter(resource.type for resource in aws_resources(registered(stack, ROOT)))
        for stack in ("staging", "prod")
    }
    tokens = sorted(counts["staging"] | counts["prod"])
    without = kept()
    wanted = [
        (
            short(token),
            str(counts["staging"][token]),
            str(counts["prod"][token]),
            "kept" if token in without else "moto",
        )
        for token in tokens
    ]
    assert ROW.findall((ROOT / "docs" / "aws.md").read_text("utf-8")) == wanted
    assert len(wanted) > 55
    assert set(tokens) <= TYPES.keys()
