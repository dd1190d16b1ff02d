import logging
import uuid

from django.conf import settings
from django.http import HttpResponse

logger = logging.getLogger(__name__)


class RequestIdMiddleware:
    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        request.id = request.headers.get("X-Request-ID") or uuid.uuid4().hex
        response = self.get_response(request)
        response["X-Request-ID"] = request.id
        return response

    def process_exception(self, request, exception):
        logger.exception("request %s failed", request.id)


def maintenance(get_response):
    def middleware(request):
        if getattr(settings, "MAINTENANCE", False) and not request.path.startswith("/health/"):
            return HttpResponse("Back soon.", status=503)
        return get_response(request)

    return middleware
