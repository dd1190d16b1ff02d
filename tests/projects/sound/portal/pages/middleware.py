import logging

from django.utils.deprecation import MiddlewareMixin

logger = logging.getLogger("audit")


class AuditMiddleware(MiddlewareMixin):
    def process_view(self, request, view, args, kwargs):
        request.audited = getattr(view, "__name__", "view")

    def process_response(self, request, response):
        if not response.streaming:
            response["X-Length"] = len(response.content)
        if response.status_code >= 400 and hasattr(request, "user"):
            logger.warning("%s %s", request.user.pk, response.status_code)
        return response
