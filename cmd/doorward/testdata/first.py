"""The first tutorial's client: log in, send the token as Bearer."""
import sys

import requests

base = sys.argv[1]
response = requests.post(f"{base}/login", json={"username": "test", "password": "the tutorial said test"})
token = response.json()["access_token"]
response = requests.get(f"{base}/protected", headers={"Authorization": f"Bearer {token}"})
print(response.status_code, response.json()["message"])
print(requests.get(f"{base}/protected").status_code)
