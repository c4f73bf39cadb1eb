ask("DELETE", f"/users/{user}", "admin", admin)
try:
    ask("GET", "/notes", user, password)
except urllib.error.HTTPError as error:
    sys.exit(0 if error.code == 401 else 1)
sys.exit("the user is still let in")
