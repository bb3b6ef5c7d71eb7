"use strict";

const byId = (id) => document.getElementById(id);
const forms = ["login", "code-form", "consent"].map(byId);
const parameters = new URLSearchParams(location.search);
let mfaToken = null;

function show(form, text) {
  for (const other of forms) other.hidden = other !== form;
  byId("message").textContent = text;
}

async function post(path, body) {
  return fetch(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
}

async function told(response) {
  try {
    return (await response.json()).detail;
  } catch {
    return "The server cannot answer right now. Wait a moment and try again.";
  }
}

// What was asked for is asked again: now with somebody signed in.
function goOn() {
  const prompts = (parameters.get("prompt") ?? "").split(" ").filter((one) => one !== "login");
  parameters.delete("prompt");
  if (prompts.some(Boolean)) parameters.set("prompt", prompts.join(" "));
  location.replace(`/oauth2/authorize?${parameters}`);
}

async function begin() {
  const response = await fetch(`/oauth2/interaction?${parameters}`);
  if (!response.ok) {
    show(null, await told(response));
    return;
  }
  const asked = await response.json();
  if (asked.step === "login") {
    show(byId("login"), `to continue to ${asked.client_name}`);
    return;
  }
  byId("title").textContent = `Continue to ${asked.client_name}?`;
  byId("scopes").replaceChildren(
    ...asked.scopes.map((scope) => {
      const item = document.createElement("li");
      item.textContent = scope;
      return item;
    }),
  );
  show(byId("consent"), `You are signed in as ${asked.email}. ${asked.client_name} wants to:`);
}

async function entered(response) {
  if (!response.ok) {
    byId("message").textContent = await told(response);
    return;
  }
  const answer = await response.json();
  if (answer.mfa_required) {
    mfaToken = answer.mfa_token;
    show(byId("code-form"), "One more proof, please.");
    return;
  }
  goOn();
}

async function decide(allow) {
  const body = { parameters: Object.fromEntries(parameters), allow };
  const response = await post("/oauth2/consent", body);
  if (!response.ok) {
    byId("message").textContent = await told(response);
    return;
  }
  location.replace((await response.json()).location);
}

function onSubmit(form, act) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    try {
      await act();
    } catch {
      byId("message").textContent = "The server could not be reached. Try again.";
    }
    button.disabled = false;
  });
}

onSubmit(byId("login"), async () =>
  entered(
    await post("/v1/auth/login", {
      email: byId("email").value,
      password: byId("password").value,
    }),
  ),
);
onSubmit(byId("code-form"), async () =>
  entered(
    await post("/v1/auth/mfa/totp/verify", { mfa_token: mfaToken, code: byId("code").value }),
  ),
);
onSubmit(byId("consent"), () => decide(true));
byId("refuse").addEventListener("click", () => decide(false));
begin().catch(() => show(null, "The server could not be reached. Load this page again."));
