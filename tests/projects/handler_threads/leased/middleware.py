import threading

from django.utils.deprecation import MiddlewareMixin


STATE = threading.local()


class Own(MiddlewareMixin):
    """Keeps the request where code that is not given it finds it, as many a middleware does."""

    def process_request(self, request):
        STATE.request = request

    def process_response(self, request, response):
        response.headers["X-Own-State"] = str(STATE.request is request)
        del STATE.request
        return response
