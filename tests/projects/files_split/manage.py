#!/usr/bin/env python
import os
import sys
from pathlib import Path


def main():
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings.local")
    from django.core.management import execute_from_command_line

    # Apps are imported without the name of the directory that holds them.
    sys.path.append(str(Path(__file__).resolve().parent / "parts"))
    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
