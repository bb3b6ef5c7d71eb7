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
  "This link has expired, was used before, or belongs to a change that was replaced or taken " +
  "back. Ask for the change again if you still want it.";
const taken =
  "The new address has got an account of its own meanwhile, so nothing was changed.";
const waiting = "Thank you. The account moves when the other address has agreed too.";
const changed = "Done. From now on you log in with the new address.";
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
async function agree() {
  button.disabled = true;
  message.textContent = "One moment …";
  let response;
  try {
    response = await fetch("/v1/auth/email/confirm", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token }),
    });
    if (response.ok) {
      const isChanged = (await response.json()).status === "changed";
      finish(isChanged ? changed : waiting);
      further.hidden = !isChanged;
      return;
    }
  } catch {
    allowRetry(unreachable);
    return;
  }
  if (response.status === 429 || response.status >= 500) {
    allowRetry(busy);
  } else {
    finish(response.status === 409 ? taken : spent);
  }
}

if (token) {
  button.addEventListener("click", agree);
} else {
  finish(incomplete);
}
