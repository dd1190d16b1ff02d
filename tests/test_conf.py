"""settings.DEPLOYTOOL: what is valid, and what is said of the rest."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from deploytool.conf import Conf, read_conf


def test_nothing_stated(settings):
    settings.DEPLOYTOOL = {}
    assert read_conf() == Conf()


def test_stated_values_are_read(settings):
    settings.DEPLOYTOOL = {
        "INTERFACE": "asgi",
        "SERVER": "daphne",
        "WORKERS": 2,
        "ACCESS_LOG": False,
        "ENTRYPOINT_TIMEOUT": 3,
    }
    conf = read_conf()
    assert (conf.interface, conf.server, conf.workers) == ("asgi", "daphne", 2)
    assert conf.access_log is False
    assert conf.entrypoint_timeout == 3


def test_names_are_kept_as_a_tuple(settings):
    settings.DEPLOYTOOL = {"ASGI_HANDLER_OFF": ["coalescing", "lazy-listener"]}
    assert read_conf().asgi_handler_off == ("coalescing", "lazy-listener")


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        (["SERVER"], "has to be a dictionary, not list"),
        ({"SERVRE": "gunicorn"}, "unknown key 'SERVRE'. Did you mean 'SERVER'?"),
        ({"server": "gunicorn"}, "unknown key 'server'. Did you mean 'SERVER'?"),
        ({"QQQ": 4}, "Valid keys: ACCESS_LOG"),
        ({3: 4}, "unknown key 3"),
        ({"SERVER": "gunicron"}, "Did you mean 'gunicorn'?"),
        ({"INTERFACE": "uwsgi"}, "one of 'wsgi', 'asgi', not 'uwsgi'. Did you mean 'wsgi'?"),
        ({"WORKERS": "4"}, "['WORKERS'] has to be a whole number, not '4'"),
        ({"WORKERS": True}, "has to be a whole number, not True"),
        ({"WORKERS": 0}, "has to be at least 1, not 0"),
        ({"WORKERS": None}, "has to be a whole number, not None"),
        ({"KEEPALIVE": -1}, "has to be at least 0"),
        ({"RELOAD": 1}, "has to be True or False, not 1"),
        ({"BIND": 8000}, "has to be a string, not 8000"),
        ({"SERVER": ["gunicorn"]}, "has to be one of"),
        ({"ENTRYPOINT_TIMEOUT": "soon"}, "has to be a number, not 'soon'"),
        ({"ASGI_HANDLER": "django's"}, "has to be one of 'django', 'deploytool'"),
        ({"ASGI_THREADS": 0}, "['ASGI_THREADS'] has to be at least 1, not 0"),
        ({"ASGI_THREAD_TIMEOUT": 0}, "has to be at least 0.1, not 0"),
        ({"ASGI_HANDLER_OFF": "coalescing"}, "has to be a list of names, not 'coalescing'"),
        ({"ASGI_HANDLER_OFF": ["coalesing"]}, "Did you mean 'coalescing'?"),
        ({"ASGI_HANDLER_OFF": [["coalescing"]]}, "has to be one of 'coalescing', "),
        ({"LIFESPAN": {}}, "has to be one of 'auto', 'on', 'off'"),
    ],
)
def test_what_is_wrong_is_said(settings, stated, message):
    settings.DEPLOYTOOL = stated
    with pytest.raises(ImproperlyConfigured) as raised:
        read_conf()
    assert message in str(raised.value)
