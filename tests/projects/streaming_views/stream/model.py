raise RuntimeError("what is imported inside a view is not imported to look at it")


async def tokens(request):
    yield "data: token\n\n"
