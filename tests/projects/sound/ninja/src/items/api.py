import asyncio
import logging
import os
import secrets

import httpx
from asgiref.sync import sync_to_async
from django.core.cache import cache
from django.db import transaction
from django.http import HttpResponse
from ninja import File, NinjaAPI, Router, Schema, UploadedFile
from ninja.security import HttpBearer

from .middleware import tenant
from .models import Item

logger = logging.getLogger(__name__)


class Token(HttpBearer):
    async def authenticate(self, request, token):
        expected = os.environ.get("API_TOKEN", "")
        return token if expected and secrets.compare_digest(token, expected) else None


api = NinjaAPI(title="Items", auth=Token())
router = Router()


class ItemIn(Schema):
    name: str
    amount: int = 0


class ItemOut(ItemIn):
    id: int


@sync_to_async
def move(source, target, amount):
    with transaction.atomic():
        first = Item.objects.select_for_update().get(pk=source)
        second = Item.objects.select_for_update().get(pk=target)
        first.amount -= amount
        second.amount += amount
        first.save()
        second.save()


@router.get("/", response=list[ItemOut])
async def items(request):
    logger.info("items of %s", tenant.get())
    return [item async for item in Item.objects.all()]


@router.get("/count")
def count(request):
    return {"count": cache.get_or_set("count", Item.objects.count, 10)}


@router.post("/", response=ItemOut)
async def create(request, payload: ItemIn):
    item = await Item.objects.acreate(**payload.dict())
    await cache.adelete("count")
    return item


@router.post("/{source}/to/{target}")
async def transfer(request, source: int, target: int, amount: int):
    await move(source, target, amount)
    return {"moved": amount}


@router.post("/upload")
async def upload(request, file: File[UploadedFile]):
    content = await sync_to_async(file.read)()
    return {"size": len(content)}


@router.get("/exchange")
async def exchange(request):
    async with httpx.AsyncClient() as client:
        rates = await asyncio.gather(
            *(client.get(f"https://rates.invalid/{name}") for name in ("usd", "eur"))
        )
    return [rate.json() for rate in rates]


@api.get("/health", auth=None)
async def health(request):
    return HttpResponse("ok")


api.add_router("/items", router)
