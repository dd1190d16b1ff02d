"""Calls that wait for something and keep the thread meanwhile, by the object that is called.

A list cannot be avoided: no object tells that it waits. It names the functions and the
classes that define them, so that aliases, subclasses and instances made elsewhere are found.
"""

from __future__ import annotations

import functools
from types import BuiltinFunctionType, FunctionType, MethodType

from deploytool.project.definitions import is_a

_ASYNC_HTTP = "await an httpx.AsyncClient() or aiohttp"
_THREAD = "await asyncio.to_thread(...)"

# (module, name) of functions; "*" stands for every public one of the module.
_FUNCTIONS: dict[tuple[str, str], str] = {
    ("time", "sleep"): "await asyncio.sleep(...)",
    ("requests.api", "*"): _ASYNC_HTTP,
    ("httpx._api", "*"): "await an httpx.AsyncClient()",
    ("urllib3", "request"): _ASYNC_HTTP,
    ("urllib.request", "urlopen"): _ASYNC_HTTP,
    ("urllib.request", "urlretrieve"): _ASYNC_HTTP,
    **{
        ("subprocess", name): "await asyncio.create_subprocess_exec(...)"
        for name in ("run", "call", "check_call", "check_output", "getoutput", "getstatusoutput")
    },
    ("posix", "system"): "await asyncio.create_subprocess_shell(...)",
    ("nt", "system"): "await asyncio.create_subprocess_shell(...)",
    ("posix", "wait"): _THREAD,
    ("posix", "waitpid"): _THREAD,
    ("socket", "create_connection"): "await asyncio.open_connection(...)",
    ("socket", "getaddrinfo"): "await asyncio.get_running_loop().getaddrinfo(...)",
    ("_socket", "gethostbyname"): "await asyncio.get_running_loop().getaddrinfo(...)",
    ("_socket", "gethostbyaddr"): "await asyncio.get_running_loop().getnameinfo(...)",
    ("select", "select"): _THREAD,
    ("psycopg2", "connect"): _THREAD,
}

# Methods of classes, by the class that defines or begins them; "" for calling the class.
_CLASSES: dict[str, tuple[frozenset[str], str]] = {
    "requests.sessions.Session": (
        frozenset(["request", "get", "post", "put", "patch", "delete", "head", "options", "send"]),
        _ASYNC_HTTP,
    ),
    "httpx.Client": (
        frozenset(
            [
                "request",
                "get",
                "post",
                "put",
                "patch",
                "delete",
                "head",
                "options",
                "send",
                "stream",
            ]
        ),
        "await an httpx.AsyncClient()",
    ),
    "urllib3._request_methods.RequestMethods": (frozenset({"request", "urlopen"}), _ASYNC_HTTP),
    "urllib.request.OpenerDirector": (frozenset({"open"}), _ASYNC_HTTP),
    "http.client.HTTPConnection": (
        frozenset(["request", "getresponse", "connect", "endheaders", "send"]),
        _ASYNC_HTTP,
    ),
    "smtplib.SMTP": (
        frozenset(
            ["connect", "sendmail", "send_message", "login", "starttls", "helo", "ehlo", "quit"]
        ),
        _THREAD,
    ),
    "ftplib.FTP": (
        frozenset(["connect", "login", "retrbinary", "storbinary", "retrlines", "nlst"]),
        _THREAD,
    ),
    "imaplib.IMAP4": (
        frozenset(["login", "select", "search", "fetch", "store", "logout"]),
        _THREAD,
    ),
    "socket.socket": (
        frozenset(["connect", "recv", "recvfrom", "send", "sendall", "accept"]),
        "await asyncio.open_connection(...)",
    ),
    "threading.Event": (frozenset({"wait"}), "await an asyncio.Event"),
    "threading.Thread": (frozenset({"join"}), _THREAD),
    "threading.Barrier": (frozenset({"wait"}), "await an asyncio.Barrier"),
    "subprocess.Popen": (
        frozenset(["wait", "communicate"]),
        "await asyncio.create_subprocess_exec(...)",
    ),
}

# Clients of services, all of whose methods talk to the service.
_CLIENTS: dict[str, str] = {
    "redis.client.Redis": "await a redis.asyncio.Redis()",
    "valkey.client.Valkey": "await a valkey.asyncio.Valkey()",
    "botocore.client.BaseClient": _THREAD,
    "boto3.resources.base.ServiceResource": _THREAD,
    "pymongo.synchronous.mongo_client.MongoClient": "await a pymongo.AsyncMongoClient()",
    "psycopg.Connection": "await a psycopg.AsyncConnection",
    "psycopg.Cursor": "await a psycopg.AsyncCursor",
    "openai._base_client.SyncAPIClient": "await an openai.AsyncOpenAI()",
    "anthropic._base_client.SyncAPIClient": "await an anthropic.AsyncAnthropic()",
    "elasticsearch._sync.client.Elasticsearch": "await an elasticsearch.AsyncElasticsearch()",
    "paramiko.client.SSHClient": _THREAD,
}
# Functions that make one of them.
_MAKERS: dict[tuple[str, str], str] = {
    ("boto3", "client"): "botocore.client.BaseClient",
    ("boto3", "resource"): "boto3.resources.base.ServiceResource",
}
# What is called on a client without asking its service.
_LOCAL = frozenset({"close", "pipeline", "copy", "with_options", "get_client", "pubsub", "lock"})


def function_waits(value: object) -> str | None:
    """What to use instead of the function or bound method ``value``, None where it does not
    wait."""
    while is_a(value, functools.partial):
        value = value.func
    if is_a(value, MethodType):
        return method_waits(type(value.__self__), value.__name__)
    if is_a(value, BuiltinFunctionType) or is_a(value, FunctionType):
        module, name = str(value.__module__), value.__name__
        found = _FUNCTIONS.get((module, name))
        if found is None and not name.startswith("_"):
            found = _FUNCTIONS.get((module, "*"))
        if found is None and module == "httpx":  # httpx gives its functions its own name
            code = getattr(value, "__code__", None)
            if code is not None and code.co_filename.endswith("_api.py"):
                found = _FUNCTIONS["httpx._api", "*"]
        return found
    return None


def method_waits(cls: type, name: str) -> str | None:
    """What to use instead of the method ``name`` of an instance of ``cls``, None as above."""
    for base in cls.__mro__:
        methods, instead = _CLASSES.get(f"{base.__module__}.{base.__qualname__}", ((), ""))
        if name in methods:
            return instead
    return None


def client_of(cls: type) -> str | None:
    """What to use instead of a service's client of the class ``cls``, None for another class."""
    for base in cls.__mro__:
        found = _CLIENTS.get(f"{base.__module__}.{base.__qualname__}")
        if found is not None:
            return found
    return None


def made_client(value: object) -> str | None:
    """What to use instead of the client that calling ``value`` makes, None where it makes none."""
    if is_a(value, FunctionType):
        cls = _MAKERS.get((str(value.__module__), value.__name__))
        return _CLIENTS[cls] if cls else None
    return None


def is_local(name: str) -> bool:
    """Whether a client's method does not talk to its service."""
    return name in _LOCAL or name.startswith("_")
