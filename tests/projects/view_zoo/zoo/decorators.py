def unsigned(view):
    """A decorator without functools.wraps: sync, whatever it decorates."""

    def wrapper(request, *args, **kwargs):
        response = view(request, *args, **kwargs)
        response["X-Decorated"] = "yes"
        return response

    return wrapper


def unsigned_async(view):
    async def wrapper(*args, **kwargs):
        return await view(*args, **kwargs)

    return wrapper


class Counted:
    """A decorator written as a class, which leaves no trace of what it decorates either."""

    def __init__(self, view):
        self.view = view
        self.calls = 0

    def __call__(self, request, *args, **kwargs):
        self.calls += 1
        return self.view(request, *args, **kwargs)


def page(loader):
    """No decorator: a view made from a helper."""

    def view(request):
        from django.http import HttpResponse

        return HttpResponse(loader(request))

    return view
