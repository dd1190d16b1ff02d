from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.response import Response

from catalog.models import Product


class ProductSerializer(serializers.ModelSerializer):
    class Meta:
        model = Product
        fields = ["id", "name", "price"]


class ProductViewSet(viewsets.ModelViewSet):
    queryset = Product.objects.order_by("name")
    serializer_class = ProductSerializer

    @action(detail=False)
    def cheapest(self, request):
        products = self.get_queryset().order_by("price")[:3]
        return Response(self.get_serializer(products, many=True).data)
