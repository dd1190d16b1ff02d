"""The management commands: parse, call, print."""
