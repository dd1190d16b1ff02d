from django.core.cache import cache


def categories(request):
    return {"categories": cache.get_or_set("categories", list, 300)}
