import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")

django_application = get_asgi_application()

from fastapi import APIRouter, FastAPI, WebSocket

app = FastAPI()
feed = APIRouter(prefix="/feed")


@app.get("/api/ping")
async def ping():
    return {"ping": "pong"}


@app.websocket("/api/ws")
async def echo(websocket: WebSocket):
    await websocket.accept()
    await websocket.send_text(await websocket.receive_text())
    await websocket.close()


@feed.websocket("/live")
async def live(websocket: WebSocket):
    await websocket.accept()


app.include_router(feed, prefix="/v1")
app.mount("/", django_application)
