"""`python -m zoo` is the same as `zoo`."""

from zoo.cli import main

if __name__ == "__main__":
    main()
