from django.contrib.auth.models import Group
from django.db import transaction
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import APIException
from rest_framework.permissions import IsAuthenticated, IsAuthenticatedOrReadOnly
from rest_framework.response import Response
from rest_framework.views import APIView


class Status(APIView):
    def get(self, request):
        return Response({"status": "ok"})


class Me(APIView):
    permission_classes = [IsAuthenticated]

    def get(self, request):
        return Response({"user": request.user.get_username(), "by": type(request.auth).__name__})


class Both(APIView):
    """Writes, then fails: a transaction that has to be undone."""

    permission_classes = [IsAuthenticated]

    def post(self, request):
        with transaction.atomic():
            Group.objects.create(name="never")
            raise APIException("undone")


class Fails(APIView):
    def get(self, request):
        raise RuntimeError("a view of DRF's")


class GroupSerializer(serializers.ModelSerializer):
    class Meta:
        model = Group
        fields = ["id", "name"]


class Groups(viewsets.ModelViewSet):
    queryset = Group.objects.order_by("pk")
    serializer_class = GroupSerializer
    permission_classes = [IsAuthenticatedOrReadOnly]

    @action(detail=False)
    def names(self, request):
        return Response([group.name for group in self.get_queryset()])
