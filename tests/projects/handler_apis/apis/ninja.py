import asyncio

from django.contrib.auth.models import Group, User
from django.http import StreamingHttpResponse
from ninja import NinjaAPI, Schema
from ninja.errors import HttpError
from ninja.security import HttpBearer, django_auth

api = NinjaAPI()


class Name(Schema):
    name: str


class Bearer(HttpBearer):
    def authenticate(self, request, token):
        return User.objects.filter(auth_token__key=token).first()


class AsyncBearer(HttpBearer):
    async def authenticate(self, request, token):
        return await User.objects.filter(auth_token__key=token).afirst()


@api.get("/sync")
def sync(request, number: int):
    return {"groups": Group.objects.count(), "number": number}


@api.get("/async")
async def asynchronous(request, number: int):
    await asyncio.sleep(0)
    return {"groups": await Group.objects.acount(), "number": number}


@api.post("/sync/groups", response={201: Name}, auth=Bearer())
def create(request, payload: Name):
    return 201, Group.objects.create(name=payload.name)


@api.post("/async/groups", response={201: Name}, auth=AsyncBearer())
async def acreate(request, payload: Name):
    return 201, await Group.objects.acreate(name=payload.name)


@api.get("/session", auth=django_auth)
def session(request):
    return {"user": request.auth.username}


@api.get("/asession")
async def asession(request):
    user = await request.auser()
    return {"user": user.get_username()}


@api.get("/refused")
async def refused(request):
    raise HttpError(418, "refused")


@api.get("/fails")
async def fails(request):
    raise RuntimeError("an operation of Ninja's")


@api.get("/stream")
async def stream(request):
    async def parts():
        for number in range(3):
            yield f"{number}:{await Group.objects.acount()} "

    return StreamingHttpResponse(parts(), content_type="text/plain")
