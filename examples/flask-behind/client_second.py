"""The second tutorial's client. Its address is the only thing that changes."""
import sys

import requests

BASE = sys.argv[1] if len(sys.argv) > 1 else "http://localhost:5000"

print(requests.get(f"{BASE}/").json()["message"])
response = requests.post(f"{BASE}/login", json={"username": "user1", "password": "password123"})
token = response.json()["token"]
response = requests.get(f"{BASE}/protected", headers={"x-access-token": token})
print(response.status_code, response.json()["message"], response.json()["user"])
