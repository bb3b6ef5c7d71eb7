"use strict";

const message = document.getElementById("message");
const form = document.getElementById("form");
const button = document.getElementById("save");
const password = document.getElementById("password");
const token = new URLSearchParams(location.hash.slice(1)).get("token");

// The token leaves the address bar and the history as soon as it has been read.
history.replaceState(null, "", location.pathname);

const incomplete =
  "This link is incomplete. Copy the whole line from the mail into the address bar.";
const spent = "This link has expired or was used before. Ask for a new one.";
const busy = "The server cannot answer right now. Wait a moment and press the button again.";
const unreachable =
  "The server could not be reached. Check your connection and press the button again.";

function finish(text) {
  message.textContent = text;
  form.hidden = true;
}

function allowRetry(text) {
  message.textContent = text;
  button.disabled = false;
}

async function save(event) {
  event.preventDefault();
  button.disabled = true;
  message.textContent = "One moment …";
  let response;
  try {
    response = await fetch("/v1/auth/password/reset", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token, password: password.value }),
    });
  } catch {
    allowRetry(unreachable);
    return;
  }
  if (response.ok) {
    finish("Your password is changed. Log in with it.");
  } else if (response.status === 422) {
    const problem = await response.json();
    allowRetry(problem.errors?.[0]?.message ?? problem.detail);
  } else if (response.status === 429 || response.status >= 500) {
    allowRetry(busy);
  } else {
    finish(spent);
  }
}

if (token) {
  form.addEventListener("submit", save);
} else {
  finish(incomplete);
}
