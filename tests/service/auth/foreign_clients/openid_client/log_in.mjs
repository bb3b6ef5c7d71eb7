// An application on openid-client, as its users write it. It is told by JSON lines on standard
// input where the browser has arrived, and tells on standard output where to send it and what it
// got in the end.
import { createInterface } from "node:readline/promises";
import * as client from "openid-client";

const [issuer, clientId, clientSecret, redirectUri, afterLogout, algorithm] = process.argv.slice(2);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const tell = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);
const hear = async () => JSON.parse((await lines.next()).value);

const config = await client.discovery(
  new URL(issuer),
  clientId,
  {
    client_secret: clientSecret,
    id_token_signed_response_alg: algorithm,
    use_mtls_endpoint_aliases: false,
  },
  client.ClientSecretBasic(clientSecret),
  { execute: [client.allowInsecureRequests, client.enableNonRepudiationChecks] },
);

const verifier = client.randomPKCECodeVerifier();
const state = client.randomState();
const nonce = client.randomNonce();
tell({
  authorize: client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope: "openid profile email offline_access",
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: "S256",
    state,
    nonce,
  }),
});

const { arrived } = await hear();
const tokens = await client.authorizationCodeGrant(config, new URL(arrived), {
  pkceCodeVerifier: verifier,
  expectedState: state,
  expectedNonce: nonce,
  idTokenExpected: true,
});
const { sub } = tokens.claims();
const user = await client.fetchUserInfo(config, tokens.access_token, sub);
const renewed = await client.refreshTokenGrant(config, tokens.refresh_token);
const active = await client.tokenIntrospection(config, renewed.access_token);
await client.tokenRevocation(config, renewed.refresh_token);
const ended = await client.tokenIntrospection(config, renewed.access_token);
tell({
  sub,
  user,
  renewed: renewed.claims().sub,
  active: active.active,
  activeAfterRevocation: ended.active,
  logout: client.buildEndSessionUrl(config, {
    id_token_hint: tokens.id_token,
    post_logout_redirect_uri: afterLogout,
  }),
});
process.stdin.destroy();
