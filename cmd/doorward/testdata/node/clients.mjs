// A program and a service as others write them: openid-client finds the endpoints, gets a token, asks about it and ends
// it; jose verifies the token by the published keys.
import assert from "node:assert/strict";
import { createRemoteJWKSet, jwtVerify } from "jose";
import { Issuer } from "openid-client";

const { URL_OF_ISSUER: url, CLIENT_ID: client_id, CLIENT_SECRET: client_secret } = process.env;

const issuer = await Issuer.discover(url + "/.well-known/oauth-authorization-server");
assert.equal(issuer.issuer, url);
const keys = createRemoteJWKSet(new URL(issuer.metadata.jwks_uri));

for (const method of issuer.metadata.token_endpoint_auth_methods_supported) {
  const client = new issuer.Client({
    client_id, client_secret, token_endpoint_auth_method: method,
    revocation_endpoint_auth_method: method, introspection_endpoint_auth_method: method,
  });
  const set = await client.grant({ grant_type: "client_credentials", scope: "reports:read", resource: "https://reports.example" });
  assert.equal(set.token_type, "Bearer");
  assert.equal(set.scope, "reports:read");
  assert.equal(set.refresh_token, undefined);

  const { payload, protectedHeader } = await jwtVerify(set.access_token, keys, {
    issuer: url, audience: "https://reports.example", typ: "at+jwt", requiredClaims: ["client_id", "jti", "sid"],
  });
  assert.equal(payload.sub, client_id);
  assert.ok(protectedHeader.kid);

  const live = await client.introspect(set.access_token, "access_token");
  assert.equal(live.active, true);
  assert.equal(live.exp, payload.exp);
  await client.revoke(set.access_token, "access_token");
  assert.deepEqual(await client.introspect(set.access_token), { active: false });
  await client.revoke(set.access_token);

  await assert.rejects(client.grant({ grant_type: "client_credentials", scope: "admin" }), { error: "invalid_scope" });
  await assert.rejects(client.grant({ grant_type: "client_credentials", resource: url }), { error: "invalid_target" });
  await assert.rejects(client.refresh("dwr_x"), { error: "invalid_grant" });
  const wrong = new issuer.Client({ client_id, client_secret: client_secret + "x", token_endpoint_auth_method: method });
  await assert.rejects(wrong.grant({ grant_type: "client_credentials" }), { error: "invalid_client" });
  console.log(method);
}
