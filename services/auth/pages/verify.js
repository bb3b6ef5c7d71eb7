import { onPress, post, refuse, succeed } from "/link.js";

const spent =
  "This link has expired or was used before. If you have confirmed your address already, " +
  "simply log in; otherwise sign up again and use the newest mail.";

onPress(async (token) => {
  const response = await post("/v1/auth/verify", { token });
  if (response.ok) {
    succeed("Your e-mail address is confirmed and you are logged in.");
  } else {
    refuse(response.status, spent);
  }
});
