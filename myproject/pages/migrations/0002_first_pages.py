"""The pages that a new site starts with: they explain the demonstration."""

from django.db import migrations

PAGES = [
    (
        "about",
        "About this site",
        """\
This is a small real site with what real sites need: pages from a database, an admin, sessions, \
static files, an asynchronous view, an event stream and a chat. It exists so that deploytool \
has something to inspect and to serve.

Nothing in it is told which server to use. deploytool looks at the project, finds the WebSocket \
of the chat, and concludes that it needs ASGI. Run "manage.py deployplan" to read the decision \
with its reasons, and "manage.py runserver_gateway" to serve the site accordingly.

This page is a row of the database. Change it in the admin: "manage.py createsuperuser" makes \
an account.""",
    ),
    (
        "two-interfaces",
        "Two interfaces",
        """\
WSGI is the older interface between a server and a Python application: one call for each \
request, and the worker is occupied until the response has been sent. It is simple and fast, \
and most sites need nothing else.

ASGI is asynchronous: one process keeps many connections open at little cost, and a connection \
may be more than a request and a response, a WebSocket for instance.

The front page shows which of the two has answered. Serve the site with \
"manage.py runserver_gateway --interface wsgi" and look again: the pages and the admin work as \
before, the clock asks anew each second, and the chat says that it needs ASGI.""",
    ),
    (
        "things-to-try",
        "Things to try",
        """\
Open the chat in two tabs and write. Stop the server while they are open, start it again, and \
watch both reconnect.

Open the clock in three tabs and look at the number of open clocks. Close one and it falls: \
Django notices that the browser has left and ends the stream.

Serve with several workers ("--workers 4", with DEBUG off in the environment) and watch the \
process ids on the front page. Then open the chat again: with one memory per process, only some tabs hear each other, until REDIS_URL names a \
Redis server that all workers share.""",
    ),
]


def create_pages(apps, schema_editor):
    Page = apps.get_model("pages", "Page")
    for slug, title, body in PAGES:
        Page.objects.using(schema_editor.connection.alias).update_or_create(
            slug=slug, defaults={"title": title, "body": body}
        )


class Migration(migrations.Migration):
    dependencies = [("pages", "0001_initial")]

    operations = [
        # Backwards there is nothing to undo: the table itself goes next.
        migrations.RunPython(create_pages, migrations.RunPython.noop),
    ]
