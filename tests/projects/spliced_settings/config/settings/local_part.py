MIDDLEWARE += ["config.middleware.Local"]
