"""The first tutorial's client. Its address is the only thing that changes."""
import sys

import requests

BASE = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:5000"

response = requests.post(f"{BASE}/login", json={"username": "test", "password": "test"})
token = response.json()["access_token"]
headers = {"Authorization": f"Bearer {token}"}
response = requests.get(f"{BASE}/protected", headers=headers)
print(response.status_code, response.json()["message"], response.json()["logged_in_as"])
