from django.http import StreamingHttpResponse
from rest_framework import viewsets
from rest_framework.decorators import action, api_view
from rest_framework.response import Response
from rest_framework.views import APIView


class Status(APIView):
    def get(self, request):
        return Response({"status": "ok"})


@api_view(["GET", "POST"])
def ping(request):
    return Response("pong")


class Books(viewsets.ViewSet):
    def list(self, request):
        return Response([])

    def retrieve(self, request, pk=None):
        return Response({"pk": pk})

    @action(detail=False)
    def export(self, request):
        return StreamingHttpResponse((f"{number}\n" for number in range(3)), content_type="text/csv")
