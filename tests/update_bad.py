"""Writes tests/bad/*.txt anew: `python -m tests.update_bad`. Then read the difference."""

from __future__ import annotations

import os

from tests.test_bad import BAD, cases, expectation, output


def main() -> None:
    os.chdir(BAD)
    for path in BAD.glob("*.txt"):
        path.unlink()
    for case in cases():
        expectation(case).write_text(output(case), encoding="utf-8")


if __name__ == "__main__":
    main()
