"""The second tutorial's client: the token is called token and travels in x-access-token."""
import sys

import requests

base = sys.argv[1]
response = requests.post(f"{base}/login", json={"username": "test", "password": "the tutorial said test"})
token = response.json()["token"]
headers = {"x-access-token": token}
response = requests.get(f"{base}/protected", headers=headers)
print(response.status_code, response.json()["message"])
requests.post(f"{base}/logout", headers=headers)
print(requests.get(f"{base}/protected", headers=headers).status_code)
