"use strict";

const message = document.getElementById("message");
const button = document.getElementById("confirm");
const further = document.getElementById("continue");
const second = document.getElementById("second");
const code = document.getElementById("code");
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
  second.hidden = true;
}

function allowRetry(text) {
  message.textContent = text;
  button.disabled = false;
}

function askForCode(body) {
  mfaToken = body.mfa_token;
  if (!body.methods.includes("totp") && !body.methods.includes("recovery_code")) {
    finish("Your account needs a passkey as well. Log in where you usually do.");
    return;
  }
  second.hidden = false;
  allowRetry("One more step: type a code to show that it is you.");
  code.focus();
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

// Mail scanners open links and run scripts: only a person's press spends the token.
async function logIn() {
  button.disabled = true;
  message.textContent = "One moment …";
  const [address, body] = nextRequest();
  let response;
  let answer;
  try {
    response = await fetch(address, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    answer = await response.json();
  } catch {
    allowRetry(unreachable);
    return;
  }
  if (!response.ok) {
    explain(response.status);
  } else if (answer.mfa_required) {
    askForCode(answer);
  } else {
    finish("You are logged in.");
    further.hidden = false;
  }
}

if (token) {
  button.addEventListener("click", logIn);
  code.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !button.disabled) {
      logIn();
    }
  });
} else {
  finish(incomplete);
}
