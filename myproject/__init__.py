"""The demonstration site: small, and with what real sites need."""
