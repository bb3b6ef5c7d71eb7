import { allowRetry, finish, onPress, post, refuse } from "/link.js";

const password = document.getElementById("password");
const spent = "This link has expired or was used before. Ask for a new one.";

onPress(async (token) => {
  const response = await post("/v1/auth/password/reset", { token, password: password.value });
  if (response.ok) {
    finish("Your password is changed. Log in with it.");
  } else if (response.status === 422) {
    const problem = await response.json();
    allowRetry(problem.errors?.[0]?.message ?? problem.detail);
  } else {
    refuse(response.status, spent);
  }
});
