"""The demonstration's pages and the admin, through Django's test client."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import django
import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth import get_user_model
from django.contrib.staticfiles import finders

from myproject.pages.models import Page

pytestmark = pytest.mark.django_db

EVERY_PAGE = ["/", "/clock/", "/chat/", "/pages/", "/pages/about/", "/nothing/"]


@pytest.fixture
def member(client):
    user = get_user_model().objects.create_superuser("ada", password="enchantress")
    client.force_login(user)
    return user


def test_front_page_says_who_answered(client):
    page = client.get("/").content.decode()
    assert '<strong data-field="interface" aria-labelledby="label-interface">WSGI</strong>' in page
    assert django.get_version() in page


def test_front_page_links_to_the_pages_of_the_database(client):
    Page.objects.create(slug="more", title="More & more", body="...")
    page = client.get("/").content.decode()
    assert '<a href="/pages/more/"><strong>More &amp; more</strong>' in page


def test_status_is_of_this_request_and_not_kept(client):
    response = client.get("/status/")
    assert response.json()["interface"] == "WSGI"
    assert response.json()["loop"].endswith("made for this request")
    assert "no-store" in response["Cache-Control"]


def test_a_new_site_explains_itself(client):
    page = client.get("/pages/").content.decode()
    assert {"about", "two-interfaces", "things-to-try"} <= set(
        re.findall(r"/pages/([\w-]+)/", page)
    )


def test_a_page_is_text(client):
    Page.objects.create(slug="text", title="Text", body="One.\n\n<script>two()</script>")
    page = client.get("/pages/text/").content.decode()
    assert "<p>One.</p>" in page
    assert "<script>two()" not in page


def test_a_page_that_is_not_there(client):
    response = client.get("/pages/missing/")
    assert response.status_code == 404
    assert "front page" in response.content.decode()


def test_the_admin_asks_for_a_login_and_edits_pages(client):
    assert client.get("/admin/").status_code == 302
    get_user_model().objects.create_superuser("ada", password="enchantress")
    credentials = {"username": "ada", "password": "enchantress", "next": "/admin/"}
    response = client.post("/admin/login/", credentials, follow=True)
    assert response.redirect_chain == [("/admin/", 302)]
    form = {"slug": "new", "title": "New", "body": "Written in the admin."}
    assert client.post("/admin/pages/page/add/", form).status_code == 302
    assert "Written in the admin." in client.get("/pages/new/").content.decode()
    assert "New" in client.get("/admin/pages/page/?q=admin").content.decode()


def test_chat_names_a_guest_once(client):
    first = client.get("/chat/").context["name"]
    assert re.fullmatch(r"Visitor \d{4} \(guest\)", first)
    assert client.get("/chat/").context["name"] == first


def test_chat_keeps_the_name_that_a_guest_chooses(client):
    assert client.post("/chat/", {"name": " <Grace> "})["Location"] == "/chat/"
    page = client.get("/chat/")
    assert page.context["name"] == "<Grace> (guest)"
    assert "<Grace>" not in page.content.decode()


@pytest.mark.parametrize("name", ["", "   ", "x" * 31])
def test_chat_refuses_a_name(client, name):
    response = client.post("/chat/", {"name": name})
    assert 'id="name-error"' in response.content.decode()
    assert response.context["name"].startswith("Visitor ")


@pytest.mark.usefixtures("member")
def test_chat_calls_a_member_by_their_own_name(client):
    client.post("/chat/", {"name": "Somebody else"})
    page = client.get("/chat/")
    assert page.context["name"] == "ada"
    assert 'name="name"' not in page.content.decode()


def test_chat_says_what_it_needs_under_wsgi(client):
    page = client.get("/chat/").content.decode()
    assert "The chat needs a WebSocket" in page
    assert "chat.js" not in page


class Document(HTMLParser):
    """What of a page a strict content security policy would refuse, and its landmarks."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.inline: list[str] = []
        self.addresses: list[str] = []
        self.tags: list[str] = []
        self.labelled: set[str] = set()
        self.fields: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.tags.append(tag)
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
        self.addresses += [given[name] for name in ("src", "href", "action") if given.get(name)]
        if tag == "label":
            self.labelled.add(given["for"])
        if tag == "input" and given.get("type") != "hidden":
            self.fields.add(given["id"])


@pytest.mark.parametrize("path", EVERY_PAGE)
def test_nothing_inline_and_nothing_from_elsewhere(async_client, path):
    page = Document(async_to_sync(async_client.get)(path).content.decode())
    assert page.inline == []
    assert [each for each in page.addresses if re.match(r"\w+:|//", each)] == []
    files = [each.removeprefix("/static/") for each in page.addresses if "/static/" in each]
    assert "site.css" in files
    assert [each for each in files if not finders.find(each)] == []
    assert {"header", "nav", "main", "footer", "h1"} <= set(page.tags)
    assert page.fields <= page.labelled


@pytest.mark.parametrize("asynchronous", [False, True])
def test_static_files_are_sent_in_the_requests_own_way(client, async_client, asynchronous):
    async def collect():
        response = await async_client.get("/static/site.css")
        assert response.is_async
        return response, b"".join([part async for part in response.streaming_content])

    if asynchronous:
        response, body = async_to_sync(collect)()
    else:
        response = client.get("/static/site.css")
        body = response.getvalue()
    response.close()
    with open(finders.find("site.css"), "rb") as file:
        assert body == file.read()
    assert response["Content-Type"] == 'text/css; charset="utf-8"'
    assert int(response["Content-Length"]) == len(body)


def test_a_static_file_that_is_not_there(client, async_client):
    assert client.get("/static/missing.css").status_code == 404
    assert async_to_sync(async_client.get)("/static/missing.css").status_code == 404
