"""`python -m aspora`."""

from aspora.cli import main

if __name__ == "__main__":
    main()
