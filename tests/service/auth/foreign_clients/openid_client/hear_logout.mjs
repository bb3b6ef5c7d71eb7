// What an application does with a logout token, as section 2.6 of OpenID Connect Back-Channel Logout
// asks, with the library that openid-client is built on. The claims go to standard output.
import { createRemoteJWKSet, jwtVerify } from "jose";
import * as client from "openid-client";

const EVENT = "http://schemas.openid.net/event/backchannel-logout";
const [issuer, clientId, algorithm, logoutToken] = process.argv.slice(2);

const config = await client.discovery(new URL(issuer), clientId, undefined, client.None(), {
  execute: [client.allowInsecureRequests],
});
const server = config.serverMetadata();
if (!server.backchannel_logout_supported) throw new Error("the provider tells nobody");
const { payload } = await jwtVerify(
  logoutToken,
  createRemoteJWKSet(new URL(server.jwks_uri)),
  {
    issuer: server.issuer,
    audience: clientId,
    algorithms: [algorithm],
    typ: "logout+jwt",
    maxTokenAge: "2 minutes",
    requiredClaims: ["exp", "iat", "jti", "events"],
  },
);
if (!(EVENT in payload.events)) throw new Error("this is no logout");
if ("nonce" in payload) throw new Error("a logout token has no nonce");
if (!payload.sub && !payload.sid) throw new Error("nobody is named");
process.stdout.write(JSON.stringify(payload));
