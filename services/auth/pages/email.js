import { finish, onPress, post, refuse, succeed } from "/link.js";

const spent =
  "This link has expired, was used before, or belongs to a change that was replaced or taken " +
  "back. Ask for the change again if you still want it.";
const taken =
  "The new address has got an account of its own meanwhile, so nothing was changed.";

onPress(async (token) => {
  const response = await post("/v1/auth/email/confirm", { token });
  if (!response.ok) {
    refuse(response.status, response.status === 409 ? taken : spent);
  } else if ((await response.json()).status === "changed") {
    succeed("Done. From now on you log in with the new address.");
  } else {
    finish("Thank you. The account moves when the other address has agreed too.");
  }
});
