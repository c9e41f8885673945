"""The comment and the pictures of docs/pull-request.md, taken anew: `python -m tests.pictures`.

The change that the page shows is made in a clone, `aspora diff` and `aspora report` run there as
they would for a pull request, and a headless Chromium photographs what comes out.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import browser
from tests.core import ROOT
from tests.pages import blocks

WALK = ROOT / "docs/pull-request.md"
IMAGES = ROOT / "docs/images"


@dataclass(frozen=True)
class Picture:
    """What is photographed: a page, from where on, in which window, in which colours."""

    name: str
    page: str
    width: int
    height: int
    dark: bool
    before: str


PICTURES = (
    Picture("page-change", "change.html", 1280, 640, False, "0"),
    Picture(
        "page-topology",
        "change.html",
        1280,
        730,
        False,
        "document.querySelector('.picture').scrollIntoView()",
    ),
    Picture(
        "page-objects",
        "change.html",
        1280,
        950,
        False,
        "for (const e of document.querySelectorAll('#changes-of-ecm details')) e.open = true;"
        "location.hash = 'changes-of-ecm';"
        "new Promise(done => setTimeout(done, 500))",
    ),
    Picture(
        "page-phone",
        "change.html",
        390,
        1100,
        True,
        "document.getElementById('topology').scrollIntoView()",
    ),
    Picture(
        "page-stack",
        "stack.html",
        1280,
        1150,
        True,
        "document.getElementById('cost').scrollIntoView()",
    ),
)


def fence(info: str) -> str:
    """The first block of that kind on the page."""
    return next("\n".join(b.lines) + "\n" for b in blocks(WALK) if b.info == info)


def comment(folder: Path) -> str:
    """The comment on the page's change, up to what is folded; `folder` is empty."""
    for side in ("main", "branch"):
        shutil.copytree(ROOT / "domains", folder / side / "domains")
        for path in (*ROOT.glob("Pulumi*.yaml"), ROOT / ".github/CODEOWNERS"):
            target = folder / side / path.relative_to(ROOT)
            target.parent.mkdir(exist_ok=True)
            shutil.copy(path, target)
    apply(folder / "branch")
    arguments = ("diff", "--complete", "--stack", "staging", "--base", "../main")
    text = aspora(*arguments, "--format", "markdown", cwd=folder / "branch").decode()
    return text.partition("\n<details>")[0].rstrip() + "\n"


def apply(folder: Path) -> None:
    """Make the page's change in a folder."""
    subprocess.run(["git", "apply"], input=fence("diff").encode(), cwd=folder, check=True)


@contextmanager
def pull_request() -> Iterator[Path]:
    """A clone of the repository with the change made and not committed."""
    with tempfile.TemporaryDirectory(prefix="aspora-pictures-") as folder:
        clone = Path(folder) / "platform"
        subprocess.run(["git", "clone", "-q", "--shared", str(ROOT), str(clone)], check=True)
        apply(clone)
        yield clone


def aspora(*arguments: str, cwd: Path) -> bytes:
    """What the command of this repository prints in another; a failure is one."""
    done = subprocess.run(
        [sys.executable, "-P", "-m", "aspora", *arguments],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT), "ASPORA_ROOT": str(cwd)},
        check=True,
        stdout=subprocess.PIPE,
    )
    return done.stdout


def main() -> None:
    """Take all of them."""
    with tempfile.TemporaryDirectory(prefix="aspora-comment-") as folder:
        text, new = WALK.read_text("utf-8"), comment(Path(folder))
    WALK.write_text(text.replace(fence("markdown"), new), encoding="utf-8")
    with pull_request() as clone, browser.tab() as tab:
        diff = ("diff", "--stack", "staging", "--base", "HEAD", "--format", "html")
        aspora(*diff, "--output", "change.html", cwd=clone)
        aspora("report", "--stack", "prod", "--output", "stack.html", cwd=clone)
        for picture in PICTURES:
            tab.show(picture.width, picture.height, dark=picture.dark)
            tab.open(clone / picture.page)
            tab.value(picture.before)
            tab.picture(IMAGES / f"{picture.name}.png")


if __name__ == "__main__":
    main()
