"""Small rules of English that several messages share."""


def counted(number: int, noun: str) -> str:
    """``1 worker``, ``2 workers``; for nouns whose plural is made with an s."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
