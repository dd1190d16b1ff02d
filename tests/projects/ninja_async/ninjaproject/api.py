from django.http import StreamingHttpResponse
from ninja import NinjaAPI, Router, Schema
from ninja.streaming import SSE

api = NinjaAPI()
router = Router()


class Tick(Schema):
    number: int


@api.get("/hello")
def hello(request):
    return {"hello": "world"}


@api.get("/slow")
async def slow(request):
    return {"slow": True}


@router.get("/items/{item}")
def read_item(request, item: int):
    return {"item": item}


@router.delete("/items/{item}")
async def delete_item(request, item: int):
    return {"item": item}


@router.get("/ticks", response=SSE[Tick])
async def ticks(request):
    yield {"number": 1}


@router.get("/export")
def export(request):
    return StreamingHttpResponse(iter(["a", "b"]))


api.add_router("/shop", router)
