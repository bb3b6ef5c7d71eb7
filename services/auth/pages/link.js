// What the pages that mailed links lead to have in common: the token behind the `#`, the form whose
// press spends it, and the words for what can go wrong with any of them.

export const message = document.getElementById("message");
const form = document.getElementById("act");
const button = document.getElementById("confirm");
const token = new URLSearchParams(location.hash.slice(1)).get("token");

// The token leaves the address bar and the history as soon as it has been read.
history.replaceState(null, "", location.pathname);

const incomplete =
  "This link is incomplete. Copy the whole line from the mail into the address bar.";
const busy = "The server cannot answer right now. Wait a moment and press the button again.";
const unreachable =
  "The server could not be reached. Check your connection and press the button again.";

export function post(path, body, headers = {}) {
  return fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
}

export function finish(text) {
  message.textContent = text;
  form.hidden = true;
}

export function succeed(text) {
  finish(text);
  document.getElementById("continue").hidden = false;
}

export function allowRetry(text) {
  message.textContent = text;
  button.disabled = false;
}

export function isBusy(status) {
  return status === 429 || status >= 500;
}

// What was refused for good is over; what a busy server refused can be tried again.
export function refuse(status, text) {
  if (isBusy(status)) {
    allowRetry(busy);
  } else {
    finish(text);
  }
}

export async function attempt(act) {
  button.disabled = true;
  message.textContent = "One moment …";
  try {
    await act(token);
  } catch {
    allowRetry(unreachable);
  }
}

// Mail scanners open links and run scripts: only a person's press spends the token.
export function onPress(act) {
  if (!token) {
    finish(incomplete);
    return;
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(act);
  });
}
