import package_that_is_not_installed


class Missing:
    client = package_that_is_not_installed.Client()
