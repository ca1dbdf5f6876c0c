"""``python -m app`` is ``revstream``."""

from app.cli import main

if __name__ == "__main__":
    main(prog_name="revstream")
