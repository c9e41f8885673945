"""Make the programs that tests of rules, routes and workflows use: `make observability-tools`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from aspora.errors import AsporaError
from local.paths import Paths
from local.progress import QuietProgress
from local.toolchain import OPTIONAL, ensure

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(names: Sequence[str]) -> int:
    """Each named program, or all, found or made; their paths on stdout. 1 when one is not had."""
    paths = Paths.from_environment(os.environ)
    try:
        wanted = tuple(names) or tuple(OPTIONAL)
        found = ensure(wanted, paths, QuietProgress(), env=os.environ, tools=OPTIONAL)
    except AsporaError as error:
        sys.stderr.write(f"error: {error.message}\n  {error.hint}\n")
        return 1
    sys.stdout.writelines(f"{path}\n" for path in found.values())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
