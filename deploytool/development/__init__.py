"""What runs inside the server while DEBUG is on, and never otherwise.

``runserver_gateway`` gives the server one of the applications here, which wrap the
project's own as ``runserver`` does: static files are served, and a changed template is
seen by the next request whatever the server watches.
"""
