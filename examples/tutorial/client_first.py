"""The first tutorial's client: log in, call, refresh, log out."""
import sys

import requests

BASE = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:5000"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


print(requests.get(f"{BASE}/protected").json()["msg"])

login = requests.post(f"{BASE}/login", json={"username": "test", "password": "test"})
login.raise_for_status()
token = login.json()["access_token"]
refresh_token = login.json()["refresh_token"]
print(requests.get(f"{BASE}/protected", headers=bearer(token)).json()["message"])
print(requests.get(f"{BASE}/admin", headers=bearer(token)).json()["msg"])

refresh = requests.post(f"{BASE}/refresh", headers=bearer(refresh_token))
refresh.raise_for_status()
token = refresh.json()["access_token"]
print(requests.get(f"{BASE}/me", headers=bearer(token)).json()["username"])

print(requests.delete(f"{BASE}/logout", headers=bearer(token)).json()["msg"])
after = requests.get(f"{BASE}/protected", headers=bearer(token))
print(after.status_code, after.json()["msg"])
