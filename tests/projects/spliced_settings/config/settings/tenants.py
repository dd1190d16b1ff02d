TENANT_MIDDLEWARE = ["config.middleware.Tenant"]
