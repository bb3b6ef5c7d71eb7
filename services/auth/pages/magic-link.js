import { allowRetry, attempt, finish, isBusy, onPress, post, refuse, succeed } from "/link.js";

const button = document.getElementById("confirm");
const second = document.getElementById("second");
const code = document.getElementById("code");
const passkey = document.getElementById("passkey");
// Browsers keep passkeys for names, not for IP addresses.
const knowsPasskeys =
  Boolean(window.PublicKeyCredential?.parseRequestOptionsFromJSON) &&
  !/^[\d.]+$|^\[/.test(location.hostname);
let mfaToken = null;

const spent = "This link has expired or was used before. Ask for a new one.";
const over = "This took too long, or there were too many wrong codes. Ask for a new link.";
const wrong = "This code is wrong or was used before. Type the newest one.";
const paused = "Too many attempts. Wait a moment, then try again or use a recovery code.";
const disabled = "This account is disabled. Ask whoever runs this site about it.";

function askForMore(body) {
  mfaToken = body.mfa_token;
  const takesCodes = ["totp", "recovery_code"].some((method) => body.methods.includes(method));
  passkey.hidden = !knowsPasskeys || !body.methods.includes("passkey");
  second.hidden = !takesCodes;
  button.hidden = !takesCodes;
  if (passkey.hidden && !takesCodes) {
    finish("Your account needs a passkey, which this browser does not have. Log in elsewhere.");
    return;
  }
  allowRetry("One more step to show that it is you.");
  if (passkey.hidden) {
    code.focus();
  }
}

function explain(status) {
  if (status === 403) {
    finish(disabled);
  } else if (status === 429) {
    allowRetry(paused);
  } else if (mfaToken === null) {
    refuse(status, spent);
  } else if (status === 401 || isBusy(status)) {
    refuse(status, over);
  } else {
    allowRetry(wrong);
  }
}

async function enter(response) {
  if (!response.ok) {
    explain(response.status);
    return;
  }
  const answer = await response.json();
  if (answer.mfa_required) {
    askForMore(answer);
  } else {
    succeed("You are logged in.");
  }
}

async function logIn(token) {
  if (mfaToken === null) {
    await enter(await post("/v1/auth/magic-link/verify", { token }));
    return;
  }
  const typed = code.value.replace(/\s/g, "");
  const kind = /^\d{6}$/.test(typed) ? "totp" : "recovery";
  await enter(await post(`/v1/auth/mfa/${kind}/verify`, { mfa_token: mfaToken, code: typed }));
}

async function usePasskey() {
  const body = { mfa_token: mfaToken };
  const asked = await post("/v1/auth/mfa/passkey/options", body);
  if (!asked.ok) {
    explain(asked.status);
    return;
  }
  const { publicKey } = await asked.json();
  let credential;
  try {
    credential = await navigator.credentials.get({
      publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey),
    });
  } catch {
    allowRetry("No passkey was used. Try again.");
    return;
  }
  const signed = { ...body, credential: credential.toJSON() };
  const response = await post("/v1/auth/mfa/passkey/verify", signed);
  const problem = response.status === 401 ? await response.json() : null;
  if (problem?.code === "passkey_invalid") {
    allowRetry(problem.detail);
    return;
  }
  await enter(response);
}

onPress(logIn);
passkey.addEventListener("click", () => attempt(usePasskey));
