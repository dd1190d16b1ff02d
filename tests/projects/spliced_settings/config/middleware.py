from django.utils.deprecation import MiddlewareMixin


class Tenant(MiddlewareMixin):
    def process_request(self, request):
        request.tenant = None


class Audit(Tenant):
    pass


class Local(Tenant):
    pass


class Computed(Tenant):
    pass
