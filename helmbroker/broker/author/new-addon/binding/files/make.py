ask("PUT", f"/users/{user}", "admin", admin, password)
ask("GET", "/notes", user, password)
