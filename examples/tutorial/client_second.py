"""The second tutorial's client: log in, call, log out."""
import sys

import requests

BASE = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:5000"

print(requests.get(f"{BASE}/").json()["message"])
print(requests.get(f"{BASE}/protected").json()["message"])

response = requests.post(f"{BASE}/login", json={"username": "user1", "password": "password123"})
response.raise_for_status()
token = response.json()["token"]

headers = {"x-access-token": token}
print(requests.get(f"{BASE}/protected", headers=headers).json()["message"])

headers = {"Authorization": f"Bearer {token}"}
print(requests.get(f"{BASE}/protected", headers=headers).json()["message"])

print(requests.delete(f"{BASE}/logout", headers=headers).json()["message"])
after = requests.get(f"{BASE}/protected", headers=headers)
print(after.status_code, after.json()["message"])
