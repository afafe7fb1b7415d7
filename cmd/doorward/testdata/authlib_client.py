"""A program as others write it, with Debian's Authlib and requests."""

import os

import requests
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session

url, client_id, secret = (os.environ[name] for name in ("URL_OF_ISSUER", "CLIENT_ID", "CLIENT_SECRET"))
found = requests.get(url + "/.well-known/oauth-authorization-server", timeout=10).json()
assert found["issuer"] == url

for method in found["token_endpoint_auth_methods_supported"]:
    session = OAuth2Session(client_id, secret, token_endpoint_auth_method=method, revocation_endpoint_auth_method=method)
    token = session.fetch_token(found["token_endpoint"], grant_type="client_credentials", scope="reports:read")
    assert token["scope"] == "reports:read" and "refresh_token" not in token, token

    def ask():
        return session.introspect_token(found["introspection_endpoint"], token=token["access_token"]).json()

    assert ask()["active"] is True and ask()["client_id"] == client_id, ask()
    # Authlib sends the token along as well; what it gets for it is the service's own answer.
    assert session.get(url + "/me", timeout=10).status_code == 401, "a token for another audience"
    assert session.revoke_token(found["revocation_endpoint"], token=token["access_token"]).status_code == 200
    assert ask() == {"active": False}, ask()
    try:
        session.fetch_token(found["token_endpoint"], grant_type="client_credentials", scope="admin")
    except OAuthError as refused:
        assert refused.error == "invalid_scope", refused
    else:
        raise AssertionError("a wider scope was granted")
    print(method)

answer = requests.post(found["token_endpoint"], auth=(client_id, secret), data={"grant_type": "client_credentials"}, timeout=10)
assert answer.status_code == 200 and answer.headers["Cache-Control"] == "no-store", answer.text
print("requests")
