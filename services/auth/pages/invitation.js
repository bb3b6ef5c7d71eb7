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
  "This invitation has expired, was accepted before, or was withdrawn. Ask for a new one.";
const foreign =
  "You are logged in to another account than the one that was invited. Log in with the address " +
  "that the mail was sent to, in another tab, and press the button again.";
const loggedOut =
  "Nobody is logged in here. Log in, or sign up, with the address that the mail was sent to, in " +
  "another tab of this browser. Then press the button again.";
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

function post(path, body, headers = {}) {
  return fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

function explain(status, answer) {
  if (status === 400) {
    finish(spent);
  } else if (status === 401) {
    allowRetry(loggedOut);
  } else if (answer.code === "invitation_for_another") {
    allowRetry(foreign);
  } else if (status === 429 || status >= 500) {
    allowRetry(busy);
  } else {
    allowRetry(answer.detail);
  }
}

// Mail scanners open links and run scripts: only a person's press spends the token. Who is logged in
// the refresh cookie says, which no script can read.
async function join() {
  button.disabled = true;
  message.textContent = "One moment …";
  let response;
  let answer;
  try {
    response = await post("/v1/auth/refresh", {});
    answer = await response.json();
    if (response.ok) {
      const authorization = { Authorization: `Bearer ${answer.access_token}` };
      response = await post("/v1/auth/invitations/accept", { token }, authorization);
      answer = await response.json();
    }
  } catch {
    allowRetry(unreachable);
    return;
  }
  if (response.ok) {
    finish(`You belong to ${answer.name} now.`);
    further.hidden = false;
  } else {
    explain(response.status, answer);
  }
}

if (token) {
  button.addEventListener("click", join);
} else {
  finish(incomplete);
}
