"use strict";

const byId = (id) => document.getElementById(id);
const forms = ["login", "code-form", "consent"].map(byId);
const parameters = new URLSearchParams(location.search);
// Browsers keep passkeys for names, not for IP addresses.
const knowsPasskeys =
  Boolean(window.PublicKeyCredential?.parseRequestOptionsFromJSON) &&
  !/^[\d.]+$|^\[/.test(location.hostname);
// What another provider's word was worth, on the way back from there.
const brought = new URLSearchParams(location.hash.slice(1));
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

// What was asked for is asked again, word for word: the server knows who has signed in since.
function goOn() {
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
    byId("email").value = parameters.get("login_hint") ?? "";
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

async function offerConnections() {
  const response = await fetch("/v1/auth/oidc");
  if (!response.ok) return;
  const back = `/oauth2/sign-in?${parameters}`;
  byId("connections").replaceChildren(
    ...(await response.json()).items.map(({ id, name }) => {
      const link = document.createElement("a");
      link.href = `/v1/auth/oidc/${id}/start?${new URLSearchParams({ return_to: back })}`;
      link.textContent = `Sign in with ${name}`;
      const item = document.createElement("li");
      item.append(link);
      return item;
    }),
  );
}

function askForMore(token, methods) {
  mfaToken = token;
  byId("passkey-step").hidden = !knowsPasskeys || !methods.includes("passkey");
  show(byId("code-form"), "One more proof, please.");
}

// Whoever gave up at the other provider brings nothing, and is asked as before.
function comeBack() {
  if (brought.has("signed_in")) {
    goOn();
    return;
  }
  history.replaceState(null, "", `${location.pathname}?${parameters}`);
  askForMore(brought.get("mfa_token"), (brought.get("methods") ?? "").split(","));
}

async function entered(response) {
  if (!response.ok) {
    byId("message").textContent = await told(response);
    return;
  }
  const answer = await response.json();
  if (answer.mfa_required) {
    askForMore(answer.mfa_token, answer.methods);
    return;
  }
  goOn();
}

async function usePasskey(begin, end, body) {
  const asked = await post(begin, body);
  if (!asked.ok) {
    byId("message").textContent = await told(asked);
    return;
  }
  const { publicKey } = await asked.json();
  let credential;
  try {
    credential = await navigator.credentials.get({
      publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(publicKey),
    });
  } catch {
    byId("message").textContent = "No passkey was used. Try again, or sign in another way.";
    return;
  }
  await entered(await post(end, { ...body, credential: credential.toJSON() }));
}

// The answer is the same whether the address has an account or not.
async function forget() {
  const email = byId("email");
  if (!email.reportValidity()) return;
  const response = await post("/v1/auth/password/forgot", { email: email.value });
  if (response.ok) {
    byId("message").textContent =
      "If this address has an account, a mail with a link is on its way to it. Choose another " +
      "password there, and sign in here with it.";
  } else if (response.status === 403) {
    // A CAPTCHA is asked for, which this page has none of.
    byId("message").textContent = "Ask for another password where you signed up.";
  } else {
    byId("message").textContent = await told(response);
  }
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

async function pressed(button, act) {
  button.disabled = true;
  try {
    await act();
  } catch {
    byId("message").textContent = "The server could not be reached. Try again.";
  }
  button.disabled = false;
}

function onSubmit(form, act) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    pressed(form.querySelector("button"), act);
  });
}

function onPress(button, act) {
  button.addEventListener("click", () => pressed(button, act));
}

onSubmit(byId("login"), async () =>
  entered(
    await post("/v1/auth/login", {
      email: byId("email").value,
      password: byId("password").value,
    }),
  ),
);
onSubmit(byId("code-form"), async () => {
  const code = byId("code").value.replace(/\s/g, "");
  const kind = /^\d{6}$/.test(code) ? "totp" : "recovery";
  await entered(await post(`/v1/auth/mfa/${kind}/verify`, { mfa_token: mfaToken, code }));
});
onPress(byId("passkey"), () =>
  usePasskey("/v1/auth/passkeys/options", "/v1/auth/passkeys/session", {}),
);
onPress(byId("passkey-step"), () =>
  usePasskey("/v1/auth/mfa/passkey/options", "/v1/auth/mfa/passkey/verify", {
    mfa_token: mfaToken,
  }),
);
byId("passkey").hidden = !knowsPasskeys;
onPress(byId("forgot"), forget);
onSubmit(byId("consent"), () => decide(true));
byId("refuse").addEventListener("click", () => decide(false));
if (brought.has("signed_in") || brought.has("mfa_token")) {
  comeBack();
} else {
  begin().catch(() => show(null, "The server could not be reached. Load this page again."));
  offerConnections().catch(() => byId("connections").replaceChildren());
}
