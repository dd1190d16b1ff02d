"""The checks about proxy and TLS: who tells Django the scheme, and whose address is REMOTE_ADDR."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.checks.project import deploycheck, make_project
from tests.checks.variants import judged_each, variant

if TYPE_CHECKING:
    from pathlib import Path

NO_HEADER = "SECURE_PROXY_SSL_HEADER = None\n"
ELSEWHERE = 'DEPLOYTOOL = {"BIND": "0.0.0.0:8000", "PROXY": "10.0.3.5"}\n'


def state(**conf: Any) -> str:
    """The line of the settings that states ``conf``."""
    return f"DEPLOYTOOL = {conf!r}\n"


def judged(project: Path, *args: str) -> dict[str, list[dict[str, Any]]]:
    """The findings of this subject's rules by id, without the prefix."""
    found: dict[str, list[dict[str, Any]]] = {}
    for finding in deploycheck(project, *args)["findings"]:
        prefix, _, short = finding["id"].partition(".")
        if prefix == "deploytool" and 300 <= int(short[1:]) < 350:
            found.setdefault(short, []).append(finding)
    return found


ELSEWHERE_CONF = {"BIND": "0.0.0.0:8000", "PROXY": "10.0.3.5", "CONTAINER": False}
HTTPS_HEADER = 'SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")'


def untold(conf: dict[str, Any], options: dict[str, Any] | None = None, more: str = "") -> Any:
    """A variant without SECURE_PROXY_SSL_HEADER."""
    settings = f"dict(SECURE_PROXY_SSL_HEADER=None, DEPLOYTOOL={conf!r}, {more})"
    return variant(settings, **(options or {}))


DAPHNE = {"interface": "asgi", "server": "daphne"}
UVICORN = {"interface": "asgi", "server": "uvicorn"}
SOCKET = {"BIND": "unix:/tmp/s.sock"}
NOT_TRUSTED = {**SOCKET, "FORWARDED_ALLOW_IPS": "127.0.0.1"}
LOOP = "redirects to itself for ever"
NO_REDIRECT = "SECURE_SSL_REDIRECT=False,"

SCHEME = (
    # What is not told, the id and what the message says.
    (untold({}, DAPHNE), "E300", "Daphne ignores X-Forwarded-Proto", LOOP),
    (untold(ELSEWHERE_CONF), "E300", "the proxy is 10.0.3.5", LOOP),
    (
        untold(ELSEWHERE_CONF, more=NO_REDIRECT + "CSRF_TRUSTED_ORIGINS=[]"),
        "E300",
        "403 Origin checking failed",
        "Gunicorn",
    ),
    (
        untold(ELSEWHERE_CONF, more=NO_REDIRECT),
        "W300",
        "absolute URLs begin with http://",
        "10.0.3.5",
    ),
    (
        untold({"BIND": "0.0.0.0:8000"}),
        "W300",
        "unless the proxy connects from 127.0.0.1",
        LOOP,
    ),
    (untold(NOT_TRUSTED, UVICORN), "E300", "from a Unix socket", LOOP),
    (untold({**ELSEWHERE_CONF, "PROXY": "nginx"}), "E300", "the proxy is nginx", LOOP),
)

SCHEME_KNOWN = (
    untold({"BIND": "127.0.0.1:8000"}),
    untold({**ELSEWHERE_CONF, "FORWARDED_ALLOW_IPS": "10.0.3.0/24"}),
    untold({**ELSEWHERE_CONF, "PROXY": "10.0.3.0/26", "FORWARDED_ALLOW_IPS": "10.0.3.0/24"}),
    untold(SOCKET, UVICORN),
    untold(NOT_TRUSTED),  # Gunicorn believes whoever comes by a Unix socket
    untold(
        ELSEWHERE_CONF,
        more=NO_REDIRECT
        + "SESSION_COOKIE_SECURE=False, CSRF_COOKIE_SECURE=False, SECURE_HSTS_SECONDS=0",
    ),
    variant("{}", **DAPHNE),
)


def test_a_scheme_that_nobody_tells_django_is_found(tmp_path):
    variants = [*(each[0] for each in SCHEME), *SCHEME_KNOWN]
    answers = judged_each(make_project(tmp_path), 300, 302, variants)
    for (_, identifier, *told), found in zip(SCHEME, answers, strict=False):
        [(got, message, hint)] = found
        assert got == identifier
        assert all(text in message for text in told), message
        assert HTTPS_HEADER in hint
    assert answers[len(SCHEME) :] == [[] for _ in SCHEME_KNOWN]


def test_where_it_is_to_be_changed(tmp_path):
    project = make_project(tmp_path, settings=NO_HEADER + ELSEWHERE)
    [finding] = judged(project)["E300"]
    assert (finding["path"], finding["line"]) == ("site1/settings.py", 9)


def test_a_scheme_that_the_project_sets_itself_is_not(tmp_path):
    middleware = """
        def https_everywhere(get_response):
            def middleware(request):
                request.META["wsgi.url_scheme"] = "https"
                return get_response(request)

            return middleware
        """
    project = make_project(
        tmp_path,
        {"app/secure.py": middleware},
        settings=NO_HEADER + ELSEWHERE + 'MIDDLEWARE.insert(0, "app.secure.https_everywhere")\n',
    )
    assert judged(project) == {}


HEADERS = {
    '("X-Forwarded-Proto", "https")': ("E301", "never finds", "redirects to itself"),
    '("HTTP_X-FORWARDED-PROTO", "https")': ("E301", "never finds", "HTTP_X-FORWARDED-PROTO"),
    '("HTTP_X_FORWARDED_PROTO", "HTTPS")': ("E301", "capitals count", "'HTTPS'"),
    '("HTTP_X_FORWARDED_PROTO", True)': ("E301", "no header can be", "plain HTTP"),
    '("HTTP_X_FORWARDED_PROTO", "on")': ("W301", "unless yours does not", "'https'"),
    '("HTTP_X_FORWADED_PROTO", "https")': ("W301", "misspelt", "HTTP_X_FORWARDED_PROTO"),
    '("HTTP_X_FORWARDED_FOR", "https")': ("E301", "does not tell the scheme", "FOR"),
    '"HTTP_X_FORWARDED_PROTO"': ("E301", "not a pair", "raises an error"),
    '("HTTP_X_FORWARDED_PROTO",)': ("E301", "not a pair", "raises an error"),
    "7": ("E301", "not a pair", "raises an error"),
}


HEADERS_SOUND = (
    '["HTTP_X_FORWARDED_PROTO", "https"]',
    '("HTTP_X_FORWARDED_SSL", "on")',
    '("HTTP_CLOUDFRONT_FORWARDED_PROTO", "https")',
    '("HTTP_X_CLIENT_TLS", "yes")',
)


def headed(value: str, conf: dict[str, Any]) -> Any:
    """A variant with this SECURE_PROXY_SSL_HEADER."""
    return variant(f"dict(SECURE_PROXY_SSL_HEADER={value}, DEPLOYTOOL={conf!r})")


def test_a_header_that_never_tells_https_is_found(tmp_path):
    variants = [headed(value, ELSEWHERE_CONF) for value in (*HEADERS, *HEADERS_SOUND)]
    misspelt = headed('("HTTP-X-FORWARDED-PROTO", "https")', {"BIND": "127.0.0.1:8000"})
    *answers, known = judged_each(make_project(tmp_path), 300, 303, [*variants, misspelt])
    for value, found in zip(HEADERS, answers, strict=False):
        identifier, *told = HEADERS[value]
        [(got, message, hint)] = found
        assert got == identifier, value
        assert all(text in message for text in told), message
        assert HTTPS_HEADER in hint
    assert answers[len(HEADERS) :] == [[] for _ in HEADERS_SOUND]
    # It is less of a fault where the server knows.
    assert known[0][0] == "W301"
    assert "the scheme is what Gunicorn says" in known[0][1]


def test_where_a_misspelt_header_stands(tmp_path):
    header = 'SECURE_PROXY_SSL_HEADER = ("X-Forwarded-Proto", "https")\n'
    [finding] = judged(make_project(tmp_path, settings=ELSEWHERE + header))["E301"]
    assert (finding["path"], finding["line"]) == ("site1/settings.py", 56)


def test_what_a_proxy_alone_may_set_is_found_where_none_is(tmp_path):
    certificate = {"TLS": "server", "CERTFILE": "/etc/site.pem", "KEYFILE": "/etc/site.key"}
    settings = state(
        PROXY="", BIND="0.0.0.0:8000", FORWARDED_ALLOW_IPS="0.0.0.0/0", **certificate
    ) + ("USE_X_FORWARDED_HOST = True\nUSE_X_FORWARDED_PORT = True\n")
    found = judged(make_project(tmp_path, settings=settings))
    assert sorted(found) == ["W302", "W303", "W305"]
    assert "counts as secure" in found["W302"][0]["message"]
    assert found["W302"][0]["line"] == 8
    assert "of every client" in found["W303"][0]["message"]
    assert "unless" not in found["W303"][0]["message"]
    assert [each["line"] for each in found["W305"]] == [56, 57]
    assert "X-Forwarded-Host" in found["W305"][0]["message"]


def test_trusting_everybody_or_not_the_proxy(tmp_path):
    everybody = {**ELSEWHERE_CONF, "FORWARDED_ALLOW_IPS": "*"}
    forwarded_host = "USE_X_FORWARDED_HOST=True"
    trusted = {**ELSEWHERE_CONF, "FORWARDED_ALLOW_IPS": "10.0.3.5"}
    variants = [
        variant(f"dict(DEPLOYTOOL={everybody!r})"),
        variant(f"dict(DEPLOYTOOL={dict(everybody, CONTAINER=True)!r})"),
        variant(f"dict(DEPLOYTOOL={dict(everybody, BIND='127.0.0.1:8000')!r})"),
        variant(f"dict(DEPLOYTOOL={trusted!r}, {forwarded_host})"),
        variant(f"dict(DEPLOYTOOL={ELSEWHERE_CONF!r})", **UVICORN),
        variant(f"dict(DEPLOYTOOL={ELSEWHERE_CONF!r})", **DAPHNE),
        variant("{}", tls="server"),
        variant(
            'dict(DEPLOYTOOL={"TLS": "server", "CERTFILE": "/c.pem", "KEYFILE": "/c.key"})',
        ),
    ]
    answers = judged_each(make_project(tmp_path), 302, 349, variants)
    bare, contained, local, one, uvicorn, daphne, tls, certificate = answers
    [(identifier, message, hint)] = bare
    assert identifier == "W303"
    assert "unless a firewall or a network lets only the proxy in" in message
    assert "FORWARDED_ALLOW_IPS" in hint
    assert [each[0] for each in contained] == ["I303"]
    assert [local, one, daphne, certificate] == [[], [], [], []]
    assert [each[0] for each in uvicorn] == ["I304"]
    assert "10.0.3.5" in uvicorn[0][1]
    assert [each[0] for each in tls] == ["E345"]
    assert "no certificate" in tls[0][1]


REMOTE_ADDR = """
    from django.http import HttpResponse


    def home(request):
        return HttpResponse({expression})
    """


def with_view(tmp_path: Path, expression: str) -> Path:
    return make_project(tmp_path, {"app/views.py": REMOTE_ADDR.format(expression=expression)})


def test_remote_addr_is_found_where_it_is_the_proxy(tmp_path):
    project = with_view(tmp_path, 'request.META["REMOTE_ADDR"]')
    elsewhere = f"dict(DEPLOYTOOL={ELSEWHERE_CONF!r})"
    trusted = f"dict(DEPLOYTOOL={dict(ELSEWHERE_CONF, FORWARDED_ALLOW_IPS='10.0.3.5')!r})"
    variants = [
        variant(elsewhere),
        variant(elsewhere, **UVICORN),
        variant(f"dict(DEPLOYTOOL={NOT_TRUSTED!r})"),
        variant(f"dict(DEPLOYTOOL={NOT_TRUSTED!r})", **UVICORN),
        variant(trusted),
        variant(trusted, **UVICORN),
        variant("{}", proxy=""),
    ]
    answers = judged_each(project, 330, 330, variants)
    ids = [[each[0] for each in found] for found in answers]
    assert ids == [["W330"], ["W330"], ["W330"], ["E330"], ["W330"], [], []]
    assert "the address of the proxy for every client" in answers[0][0][1]
    assert 'FORWARDED_ALLOW_IPS"]' in answers[1][0][2]
    assert "'' for every client" in answers[2][0][1]
    assert "KeyError" in answers[3][0][1]


def test_where_remote_addr_is_read(tmp_path):
    found = judged(with_view(tmp_path, 'request.META.get("REMOTE_ADDR")'), "--proxy", "10.0.3.5")
    [finding] = found["W330"]
    assert (finding["path"], finding["line"]) == ("app/views.py", 5)


def test_remote_addr_is_not_where_it_is_the_last_resort(tmp_path):
    expression = 'request.META.get("HTTP_X_FORWARDED_FOR") or request.META["REMOTE_ADDR"]'
    assert judged(with_view(tmp_path, expression), "--proxy", "10.0.3.5") == {}


def test_remote_addr_is_not_where_a_middleware_sets_it(tmp_path):
    middleware = """
        class Client:
            def __init__(self, get_response):
                self.get_response = get_response

            def __call__(self, request):
                addresses = request.headers["X-Forwarded-For"].split(",")
                request.META["REMOTE_ADDR"] = addresses[-1].strip()
                return self.get_response(request)
        """
    project = make_project(
        tmp_path / "own",
        {
            "app/client.py": middleware,
            "app/views.py": REMOTE_ADDR.format(expression='request.META["REMOTE_ADDR"]'),
        },
        settings=ELSEWHERE + 'MIDDLEWARE.insert(0, "app.client.Client")\n',
    )
    assert judged(project) == {}


THROTTLED = """
    from rest_framework.response import Response
    from rest_framework.throttling import AnonRateThrottle
    from rest_framework.views import APIView


    class Seldom(AnonRateThrottle):
        rate = "10/min"


    class Home(APIView):
        throttle_classes = [Seldom]

        def get(self, request):
            return Response("home")


    home = Home.as_view()
    """


def test_throttles_by_the_whole_of_x_forwarded_for_are_found(tmp_path):
    project = make_project(tmp_path, {"app/views.py": THROTTLED}, settings=ELSEWHERE)
    [finding] = judged(project)["I331"]
    assert (finding["path"], finding["line"]) == ("app/views.py", 6)
    assert "app.views.Seldom" in finding["message"]
    counted = ELSEWHERE + 'REST_FRAMEWORK = {"NUM_PROXIES": 1}\n'
    project = make_project(tmp_path / "counted", {"app/views.py": THROTTLED}, settings=counted)
    assert judged(project) == {}
