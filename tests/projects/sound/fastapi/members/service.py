from asgiref.sync import sync_to_async
from django.contrib.auth.models import User
from fastapi import APIRouter, HTTPException, WebSocket

router = APIRouter()


@router.get("/members/{name}")
async def member(name: str):
    user = await User.objects.filter(username=name).afirst()
    if user is None:
        raise HTTPException(404)
    groups = await sync_to_async(lambda: list(user.groups.values_list("name", flat=True)))()
    return {"name": user.username, "groups": groups}


@router.get("/members")
def members():
    return list(User.objects.values_list("username", flat=True))


@router.websocket("/echo")
async def echo(websocket: WebSocket):
    await websocket.accept()
    async for text in websocket.iter_text():
        await websocket.send_text(text)
