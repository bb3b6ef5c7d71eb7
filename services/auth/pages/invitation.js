import { allowRetry, isBusy, onPress, post, refuse, succeed } from "/link.js";

const spent =
  "This invitation has expired, was accepted before, or was withdrawn. Ask for a new one.";
const foreign =
  "You are logged in to another account than the one that was invited. Log in with the address " +
  "that the mail was sent to, in another tab, and press the button again.";
const loggedOut =
  "Nobody is logged in here. Log in, or sign up, with the address that the mail was sent to, in " +
  "another tab of this browser. Then press the button again.";

// Who is logged in the refresh cookie says, which no script can read.
async function accept(token) {
  const refreshed = await post("/v1/auth/refresh", {});
  if (!refreshed.ok) {
    return refreshed;
  }
  const authorization = { Authorization: `Bearer ${(await refreshed.json()).access_token}` };
  return post("/v1/auth/invitations/accept", { token }, authorization);
}

onPress(async (token) => {
  const response = await accept(token);
  const answer = await response.json();
  if (response.ok) {
    succeed(`You belong to ${answer.name} now.`);
  } else if (response.status === 401) {
    allowRetry(loggedOut);
  } else if (answer.code === "invitation_for_another") {
    allowRetry(foreign);
  } else if (response.status === 400 || isBusy(response.status)) {
    refuse(response.status, spent);
  } else {
    allowRetry(answer.detail);
  }
});
