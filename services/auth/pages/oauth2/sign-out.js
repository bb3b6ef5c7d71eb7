"use strict";

const message = document.getElementById("message");
const button = document.getElementById("sign-out");

button.addEventListener("click", async () => {
  button.disabled = true;
  try {
    const response = await fetch("/oauth2/logout", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: "{}",
    });
    location.replace((await response.json()).location);
  } catch {
    message.textContent = "The server could not be reached. Press the button again.";
    button.disabled = false;
  }
});
