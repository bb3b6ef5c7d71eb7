"use strict";

const message = document.getElementById("message");
const button = document.getElementById("confirm");
const further = document.getElementById("continue");
const token = new URLSearchParams(location.hash.slice(1)).get("token");

// The token leaves the address bar and the history as soon as it has been read.
history.replaceState(null, "", location.pathname);

const incomplete =
  "This link is incomplete. Copy the whole line from the mail into the address bar.";
const spent =
  "This link has expired or was used before. If you have confirmed your address already, " +
  "simply log in; otherwise sign up again and use the newest mail.";
const busy = "The server cannot answer right now. Wait a moment and press the button again.";
const unreachable =
  "The server could not be reached. Check your connection and press the button again.";

function finish(text) {
  message.textContent = text;
  button.hidden = true;
}

function allowRetry(text) {
  message.textContent = text;
  button.disabled = false;
}

// Mail scanners open links and run scripts: only a person's press spends the token.
async function confirmAddress() {
  button.disabled = true;
  message.textContent = "One moment …";
  let response;
  try {
    response = await fetch("/v1/auth/verify", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
  } catch {
    allowRetry(unreachable);
    return;
  }
  if (response.ok) {
    finish("Your e-mail address is confirmed and you are logged in.");
    further.hidden = false;
  } else if (response.status === 429 || response.status >= 500) {
    allowRetry(busy);
  } else {
    finish(spent);
  }
}

if (token) {
  button.addEventListener("click", confirmAddress);
} else {
  finish(incomplete);
}
