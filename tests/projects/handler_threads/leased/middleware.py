import threading

from django.utils.deprecation import MiddlewareMixin


class Own(MiddlewareMixin):
    """Where its hooks ran is told in headers."""

    def process_request(self, request):
        request.thread = threading.get_ident()

    def process_response(self, request, response):
        response.headers["X-One-Thread"] = str(request.thread == threading.get_ident())
        return response
