"use strict";

const message = document.getElementById("message");
const button = document.getElementById("confirm");
const further = document.getElementById("continue");
const second = document.getElementById("second");
const code = document.getElementById("code");
const passkey = document.getElementById("passkey");
// Browsers keep passkeys for names, not for IP addresses.
const knowsPasskeys =
  Boolean(window.PublicKeyCredential?.parseRequestOptionsFromJSON) &&
  !/^[\d.]+$|^\[/.test(location.hostname);
const token = new URLSearchParams(location.hash.slice(1)).get("token");
let mfaToken = null;

// The token leaves the address bar and the history as soon as it has been read.
history.replaceState(null, "", location.pathname);

const incomplete =
  "This link is incomplete. Copy the whole line from the mail into the address bar.";
const spent = "This link has expired or was used before. Ask for a new one.";
const over = "This took too long, or there were too many wrong codes. Ask for a new link.";
const wrong = "This code is wrong or was used before. Type the newest one.";
const paused = "Too many attempts. Wait a moment, then try again or use a recovery code.";
const disabled = "This account is disabled. Ask whoever runs this site about it.";
const busy = "The server cannot answer right now. Wait a moment and press the button again.";
const unreachable =
  "The server could not be reached. Check your connection and press the button again.";

function finish(text) {
  message.textContent = text;
  button.hidden = true;
  passkey.hidden = true;
  second.hidden = true;
}

function allowRetry(text) {
  message.textContent = text;
  button.disabled = false;
}

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

function nextRequest() {
  if (mfaToken === null) {
    return ["/v1/auth/magic-link/verify", { token }];
  }
  const typed = code.value.replace(/\s/g, "");
  const kind = /^\d{6}$/.test(typed) ? "totp" : "recovery";
  return [`/v1/auth/mfa/${kind}/verify`, { mfa_token: mfaToken, code: typed }];
}

function explain(status) {
  if (status === 403) {
    finish(disabled);
  } else if (status === 429) {
    allowRetry(paused);
  } else if (status >= 500) {
    allowRetry(busy);
  } else if (mfaToken === null) {
    finish(spent);
  } else if (status === 401) {
    finish(over);
  } else {
    allowRetry(wrong);
  }
}

async function post(address, body) {
  const response = await fetch(address, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return [response, await response.json()];
}

function enter(response, answer) {
  if (!response.ok) {
    explain(response.status);
  } else if (answer.mfa_required) {
    askForMore(answer);
  } else {
    finish("You are logged in.");
    further.hidden = false;
  }
}

// Mail scanners open links and run scripts: only a person's press spends the token.
async function logIn() {
  button.disabled = true;
  message.textContent = "One moment …";
  try {
    enter(...(await post(...nextRequest())));
  } catch {
    allowRetry(unreachable);
  }
}

async function usePasskey() {
  const body = { mfa_token: mfaToken };
  const [asked, options] = await post("/v1/auth/mfa/passkey/options", body);
  if (!asked.ok) {
    explain(asked.status);
    return;
  }
  let credential;
  try {
    credential = await navigator.credentials.get({
      publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options.publicKey),
    });
  } catch {
    allowRetry("No passkey was used. Try again.");
    return;
  }
  const signed = { ...body, credential: credential.toJSON() };
  const [response, answer] = await post("/v1/auth/mfa/passkey/verify", signed);
  if (response.status === 401 && answer.code === "passkey_invalid") {
    allowRetry(answer.detail);
    return;
  }
  enter(response, answer);
}

if (token) {
  button.addEventListener("click", logIn);
  passkey.addEventListener("click", () => usePasskey().catch(() => allowRetry(unreachable)));
  code.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !button.disabled) {
      logIn();
    }
  });
} else {
  finish(incomplete);
}
