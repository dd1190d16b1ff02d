import threading

import requests
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.mail import send_mail
from django.db import connection, transaction
from django.http import HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

_session = threading.local()


def _http():
    if not hasattr(_session, "session"):
        _session.session = requests.Session()
    return _session.session


@transaction.non_atomic_requests
def health(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok"})


def cart(request):
    return render(request, "cart.html", {"items": request.session.get("cart", [])})


@require_POST
@login_required
def checkout(request):
    charged = _http().post("https://payments.invalid/charge", json={}, timeout=5)
    charged.raise_for_status()
    transaction.on_commit(
        lambda: send_mail("Your order", "Thank you.", None, [request.user.email])
    )
    request.session["cart"] = []
    messages.success(request, "Thank you.")
    return redirect("products")


@login_required
def invoice(request, number):
    response = HttpResponse(content_type="text/csv")
    response["Content-Disposition"] = f"attachment; filename={number}.csv"
    response.write("name,price\n")
    return response
