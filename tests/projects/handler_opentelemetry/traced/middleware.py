from django.utils.deprecation import MiddlewareMixin


class Failing(MiddlewareMixin):
    """Its hooks fail where the path says so."""

    def process_request(self, request):
        if request.path == "/hook/request/":
            raise LookupError("process_request")

    def process_view(self, request, view, args, kwargs):
        if request.path == "/hook/view/":
            raise LookupError("process_view")

    def process_response(self, request, response):
        if request.path == "/hook/response/":
            raise LookupError("process_response")
        return response


