"""The checks about hosts, origins, redirects, cookies and the mount point."""

from __future__ import annotations

import textwrap

from tests.checks.project import make_project
from tests.checks.test_proxy import DAPHNE, judged
from tests.checks.variants import judged_each, placed_each, variant

ROUTES = """
    from django.urls import path

    from app import views

    urlpatterns = [
        path("", views.home),
        path("healthz/", views.home),
        path("accounts/login/", views.home, name="login"),
    ]
    """

ENTRIES = """
    import re
    ALLOWED_HOSTS = [
        "example.org", ".example.net", "[::1]", "127.0.0.1", "", None, "Example.COM",
        "https://a.org", "b.org:8000", "c.org/", " d.org", "*.e.org", "10.0.0.0/8", "::1",
        "f_g", re.compile("h"),
    ]
    CSRF_TRUSTED_ORIGINS = [
        "https://example.org", "https://*.example.org", "https://x.org:8443",
        "https://a.org/", "https://*", "https://B.org", "https://c.org:443",
        "https://d.*.org", "http://www.example.net", "http://localhost:3000",
    ]
    SECURE_REFERRER_POLICY = ("same-origin", "no-referrer")
    SECURE_REDIRECT_EXEMPT = ["^healthz/$", "^/healthz/$", "/accounts/login/", "^ping"]
    SECURE_SSL_HOST = "https://example.org"
    """


def test_entries_that_match_nothing_are_found(tmp_path):
    """Hosts, origins, patterns: one project with every fault, each beside sound ones."""
    found = judged(make_project(tmp_path, {"site1/urls.py": ROUTES}, settings=ENTRIES))
    assert sorted(found) == ["E322", "I314", "W311", "W313", "W315", "W320"]
    messages = [each["message"] for each in found["W311"]]
    wrong = ["'https://a.org'", "'b.org:8000'", "'c.org/'", "' d.org'", "'*.e.org'"]
    wrong += ["'10.0.0.0/8'", "'::1'", "'f_g'", "re.compile('h')"]
    assert [each.partition("has ")[2].partition(", which")[0] for each in messages] == wrong
    assert "subdomains" in messages[4]
    origins = [finding["message"].split("'")[1] for finding in found["W313"]]
    assert origins == [
        "https://a.org/",
        "https://*",
        "https://B.org",
        "https://c.org:443",
        "https://d.*.org",
    ]
    assert ["http://www.example.net" in each["message"] for each in found["I314"]] == [True]
    assert ["'^healthz/$'" in each["hint"] for each in found["W320"]] == [True, False]
    assert "'accounts/login/'" in found["W320"][1]["hint"]
    assert "https://https://example.org" in found["E322"][0]["message"]
    assert "Origin: null" in found["W315"][0]["message"]
    places = {(each[0]["path"], each[0]["line"]) for each in found.values()}
    assert places == {("site1/settings.py", line) for line in (57, 62, 67, 68, 69)}


CONTAINED = 'DEPLOYTOOL={"CONTAINER": True, "BIND": "0.0.0.0:8000"}'
BARE = 'DEPLOYTOOL={"CONTAINER": False, "BIND": "0.0.0.0:8000"}'

HOSTS = (
    (variant('dict(ALLOWED_HOSTS="".split(","))'), ["E310"], "every request is answered 400"),
    (variant("dict(ALLOWED_HOSTS=[])"), ["E310"], "is empty"),
    (variant('dict(ALLOWED_HOSTS=["*"])'), ["W312"], "every client chooses the host"),
    (variant('dict(SECURE_REDIRECT_EXEMPT=["^health(z"])'), ["E320"], "cannot start"),
    (variant(f"dict({CONTAINED})"), ["I321"], "/healthz/"),
    (variant(f'dict(SECURE_REDIRECT_EXEMPT=["^healthz/"], {CONTAINED})'), [], ""),
    (variant(f"dict({BARE})"), [], ""),
    # The same faults where nothing compares with them.
    (
        variant(
            'dict(SECURE_SSL_REDIRECT=False, SECURE_REDIRECT_EXEMPT=["^/healthz/$"],'
            'SECURE_SSL_HOST="https://example.org",'
            'SECURE_REFERRER_POLICY="no-referrer, strict-origin-when-cross-origin")'
        ),
        [],
        "",
    ),
)


WWW = (
    (variant("dict(PREPEND_WWW=True)"), ["E317"], 'Add "www.example.org" to ALLOWED_HOSTS.'),
    (
        variant('dict(PREPEND_WWW=True, ALLOWED_HOSTS=["Example.net", ".example.org", "[::1]"])'),
        ["E317"],
        "sends who asks for Example.net to www.example.net",
    ),
    (
        variant(
            'dict(PREPEND_WWW=True, ALLOWED_HOSTS=["example.org", "www.example.org", ".b.org",'
            ' "www.a.org", "localhost", "127.0.0.1", "10.0.0.7"])'
        ),
        [],
        "",
    ),
    (variant('dict(PREPEND_WWW=True, ALLOWED_HOSTS=["*", "example.org"])'), ["W312"], ""),
    (variant('dict(SECURE_SSL_HOST="secure.example.org")'), ["W323"], "unless another site"),
    (
        variant('dict(SECURE_SSL_HOST="secure.example.org:8443", ALLOWED_HOSTS=[".example.org"])'),
        [],
        "",
    ),
    (variant('dict(SECURE_SSL_HOST="b.org", SECURE_SSL_REDIRECT=False)'), [], ""),
)


def test_redirects_to_hosts_that_are_refused(tmp_path):
    compare(tmp_path, WWW)


LOGINS = {
    "app/views.py": """
        from django.contrib.auth.decorators import login_not_required, login_required
        from django.contrib.auth.mixins import LoginRequiredMixin
        from django.contrib.auth.views import LoginView
        from django.http import HttpResponse
        from django.views import View


        def home(request):
            return HttpResponse("home")


        def login(request):
            return HttpResponse("log in")


        @login_not_required
        def opened(request):
            return HttpResponse("log in")


        class Changed(LoginView):
            def dispatch(self, request, *args, **kwargs):
                return super().dispatch(request, *args, **kwargs)


        class Mixed(LoginRequiredMixin, View):
            pass


        class Elsewhere(LoginRequiredMixin, View):
            login_url = "/plain/"
        """,
    "app/required.py": """
        from django.contrib.auth.middleware import LoginRequiredMiddleware


        class Everywhere(LoginRequiredMiddleware):
            redirect_field_name = "to"


        class Some(LoginRequiredMiddleware):
            def process_view(self, request, view_func, args, kwargs):
                if request.path.startswith("/inside/"):
                    return super().process_view(request, view_func, args, kwargs)
        """,
    "site1/urls.py": """
        from django.urls import include, path
        from django.views.decorators.cache import never_cache

        from app import views

        inner = [path("login/", views.login, name="page")]
        urlpatterns = [
            path("", views.home),
            path("plain/", views.login, name="plain"),
            path("within/", include((inner, "within"))),
            path("open/", never_cache(views.opened), name="open"),
            path("view/", views.LoginView.as_view(), name="view"),
            path("changed/", views.Changed.as_view(), name="changed"),
            path("closed/", never_cache(views.login_required(views.home)), name="closed"),
            path("other/", views.login_required(views.home, login_url="/plain/"), name="other"),
            path("mixed/", views.Mixed.as_view(), name="mixed"),
            path("elsewhere/", views.Elsewhere.as_view(), name="elsewhere"),
        ]
        """,
}
COVERED = 'MIDDLEWARE=[*settings.MIDDLEWARE, "app.required.Everywhere"]'
IN_PART = 'MIDDLEWARE=[*settings.MIDDLEWARE, "app.required.Some"]'
LOGIN = (
    (f'dict(LOGIN_URL="plain", {COVERED})', ["E316"], "LoginRequiredMiddleware covers it"),
    (f'dict(LOGIN_URL="/within/login/?a=b", {COVERED})', ["E316"], "app.views.login"),
    (f'dict(LOGIN_URL="within:page", {COVERED})', ["E316"], "@login_not_required"),
    (f'dict(LOGIN_URL="changed", {COVERED})', ["E316"], "app.views.Changed"),
    ('dict(LOGIN_URL="/closed/")', ["E316"], "login_required() is around it"),
    ('dict(LOGIN_URL="mixed")', ["E316"], "it has LoginRequiredMixin"),
    *(
        (f"dict(LOGIN_URL={url!r}, {more})", [], "")
        for url, more in (
            ("plain", IN_PART),
            ("plain", ""),
            ("open", COVERED),
            ("/view/", COVERED),
            ("other", ""),
            ("elsewhere", ""),
            ("https://accounts.example.org/", COVERED),
            ("nowhere", COVERED),
            (7, COVERED),
        )
    ),
)


def test_login_pages_that_ask_for_a_login(tmp_path):
    project = make_project(tmp_path, LOGINS)
    cases = [variant(settings) | {"anew": "MIDDLEWARE" in settings} for settings, *_ in LOGIN]
    answers = placed_each(project, 316, 316, cases)
    for (case, ids, told), found in zip(LOGIN, answers, strict=True):
        assert [each[0] for each in found] == ids, case
        assert all(told in message or told in hint for _, message, hint, _ in found), found
    places = [place for found in answers for *_, place in found]
    views = (project / "app" / "views.py").read_text().splitlines()
    first = 1 + views.index("def login(request):")
    assert places[0] == f"app/views.py:{first}"
    assert places[3] == f"app/views.py:{1 + views.index('class Changed(LoginView):')}"


def compare(tmp_path, cases, first=300, last=349):
    """Assert the ids of each variant, and what the first message says."""
    project = make_project(tmp_path, {"site1/urls.py": ROUTES})
    stated = [
        each | {"settings": f"dict(dict({BARE}), **{each['settings']})"} for each, *_ in cases
    ]
    answers = judged_each(project, first, last, stated)
    for (case, ids, told), found in zip(cases, answers, strict=True):
        assert [identifier for identifier, _, _ in found] == ids, case
        if ids:
            assert any(told in message or told in hint for _, message, hint in found), found


def test_hosts_and_redirects(tmp_path):
    compare(tmp_path, HOSTS)


def test_any_host_is_not_where_a_middleware_looks_at_it(tmp_path):
    middleware = """
        from django.core.exceptions import DisallowedHost


        class Hosts:
            def __init__(self, get_response):
                self.get_response = get_response

            def __call__(self, request):
                if request.META.get("HTTP_HOST") != "example.org":
                    raise DisallowedHost
                return self.get_response(request)
        """
    settings = 'ALLOWED_HOSTS = ["*"]\nMIDDLEWARE.insert(0, "app.hosts.Hosts")\n'
    project = make_project(tmp_path / "own", {"app/hosts.py": middleware}, settings=settings)
    assert judged(project) == {}


NO_COOKIE_OVER_HTTP = "SESSION_COOKIE_SECURE=False, CSRF_COOKIE_SECURE=False"
PLAIN = f"SECURE_SSL_REDIRECT=False, {NO_COOKIE_OVER_HTTP}, SECURE_HSTS_SECONDS=0"

COOKIES = (
    (variant("{}", tls="none"), ["E325"] * 3 + ["I325"], "where nobody answers"),
    (variant(f"dict({PLAIN}, SECURE_PROXY_SSL_HEADER=None)", tls="none"), [], ""),
    (
        variant("dict(SECURE_PROXY_SSL_HEADER=None)", proxy=""),
        ["E325"] * 3 + ["I325"],
        "no proxy, and no certificate",
    ),
    (
        variant('dict(SESSION_COOKIE_SAMESITE="None", SESSION_COOKIE_SECURE=False)'),
        ["E326"],
        "Set SESSION_COOKIE_SECURE = True.",
    ),
    (
        variant('dict(CSRF_COOKIE_NAME="__Host-x", CSRF_COOKIE_DOMAIN="example.org")'),
        ["E326"],
        "CSRF_COOKIE_DOMAIN = None",
    ),
    (variant('dict(SESSION_COOKIE_SAMESITE="lacks")'), ["E326"], "raises an error"),
    (variant('dict(CSRF_COOKIE_DOMAIN="example.com")'), ["E327"], "every form is refused"),
    (variant('dict(SESSION_COOKIE_DOMAIN="example.org:8000")'), ["E327"], "no domain"),
    (
        variant(
            'dict(ALLOWED_HOSTS=["localhost", ".example.org"], SESSION_COOKIE_SAMESITE="None",'
            'SESSION_COOKIE_DOMAIN=".shop.example.org", CSRF_COOKIE_NAME="__Host-x")'
        ),
        [],
        "",
    ),
    # Without the middleware that sets them, they do not matter.
    (variant('dict(CSRF_USE_SESSIONS=True, CSRF_COOKIE_DOMAIN="example.com")'), [], ""),
)


def test_cookies(tmp_path):
    compare(tmp_path, COOKIES)


SHOP = 'FORCE_SCRIPT_NAME="/shop"'

MOUNTS = (
    (variant("{}", mount="/shop"), ["W340", "W341", "I342"], "unless the proxy sends SCRIPT_NAME"),
    (
        variant("{}", mount="/shop", **DAPHNE),
        ["E340", "W341", "I342"],
        'Set FORCE_SCRIPT_NAME = "/shop".',
    ),
    (
        variant(
            'dict(FORCE_SCRIPT_NAME="/store", LOGIN_URL="login", SESSION_COOKIE_PATH="/shop")',
            mount="/shop/",
        ),
        ["E340"],
        "mounted at /shop",
    ),
    (
        variant('dict(FORCE_SCRIPT_NAME="shop", LOGIN_URL="login", SESSION_COOKIE_PATH="/shop")'),
        ["E340"],
        "without a slash",
    ),
    # The URLconf has the path itself, and the proxy leaves it in.
    (variant('dict(SESSION_COOKIE_PATH="/accounts/")', mount="/accounts"), [], ""),
    (
        variant(f'dict({SHOP}, LOGIN_URL="/accounts/login/", SESSION_COOKIE_PATH="/store")'),
        ["W341", "E342"],
        "'/shop/accounts/login/'",
    ),
    (
        variant(
            'dict(FORCE_SCRIPT_NAME="/shop/", LOGIN_URL="login", SESSION_COOKIE_PATH="/shop/")',
            mount="shop",
        ),
        [],
        "",
    ),
    (variant(f"dict({SHOP}, LOGIN_URL='login')"), ["I342"], "log its users out"),
)


def test_mount_points(tmp_path):
    compare(tmp_path, MOUNTS, 340, 342)


def test_static_files_outside_of_the_mount_point(tmp_path):
    settings = textwrap.dedent("""
        FORCE_SCRIPT_NAME = "/shop"
        LOGIN_URL = "login"
        SESSION_COOKIE_PATH = "/shop/"
        MIDDLEWARE.insert(1, "whitenoise.middleware.WhiteNoiseMiddleware")
        """)
    outside = settings + 'STATIC_URL = "/static/"\n'
    [finding] = judged(make_project(tmp_path / "outside", settings=outside))["W341"]
    assert finding["line"] == 60
    assert "STATIC_URL = 'static/'" in finding["hint"]
    assert judged(make_project(tmp_path / "within", settings=settings)) == {}


READ = """
    ALLOWED_HOSTS CSRF_COOKIE_DOMAIN CSRF_COOKIE_NAME CSRF_COOKIE_PATH CSRF_COOKIE_SAMESITE
    CSRF_COOKIE_SECURE CSRF_TRUSTED_ORIGINS CSRF_USE_SESSIONS FORCE_SCRIPT_NAME LOGIN_URL
    MEDIA_ROOT PREPEND_WWW REST_FRAMEWORK SECURE_HSTS_SECONDS SECURE_PROXY_SSL_HEADER
    SECURE_REDIRECT_EXEMPT SECURE_REFERRER_POLICY SECURE_SSL_HOST SECURE_SSL_REDIRECT
    SESSION_COOKIE_DOMAIN SESSION_COOKIE_NAME SESSION_COOKIE_PATH SESSION_COOKIE_SAMESITE
    SESSION_COOKIE_SECURE STATIC_ROOT STORAGES USE_X_FORWARDED_HOST
"""
VALUES = (
    "None",
    "7",
    "b'x'",
    "'http://['",
    "'\\0'",
    "[None, 1, 'http://[', 'https://[*', '(', '']",
    "{'a': 1, 'b': 2}",
    "{'default': {'BACKEND': 7}, 'staticfiles': {'BACKEND': object, 'OPTIONS': 3}}",
    "object()",
)


def test_settings_of_every_type_raise_nothing(tmp_path):
    variants = [
        variant(f"{{{name!r}: {value}}}", mount="/shop", tls=tls)
        for name in READ.split()
        for value in VALUES
        for tls in ("proxy", "none")
    ]
    files = {"app/static/app/site.css": ""}
    project = make_project(tmp_path, files, settings="DEPLOYTOOL = {'BIND': '0.0.0.0:8000'}\n")
    for number in (300, 500):
        assert len(judged_each(project, number, number + 49, variants)) == len(variants)
