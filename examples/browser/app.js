// What is seen of a session: a form to log in, or who is logged in.

import { doorward } from "./config.js";
import { Session } from "./session.js";

const session = new Session(doorward);
const find = (id) => document.getElementById(id);

// Why a session ended, for people. Doorward sends the word.
const reasons = {
  logout: "You are logged out.",
  logout_everywhere: "You were logged out everywhere.",
  password_change: "The password was changed. Log in with the new one.",
  refresh_reuse: "Somebody else used this session, so it was ended. Log in again, and change your password if that was not you.",
  idle: "You were away for long. Log in again.",
  expired: "This session has reached its end. Log in again.",
  key_removed: "The server had to log everybody out. Log in again.",
  admin: "An administrator ended this session.",
};

session.addEventListener("in", async () => {
  clear();
  measure();
  show("in");
  tell("Logged in");
  await attempt(welcome);
});
session.addEventListener("refreshed", () => {
  measure();
  tell("Access token renewed");
});
session.addEventListener("offline", ({ detail: { wait } }) => {
  tell(wait ? `Doorward is busy; trying again in ${span(wait)}` : "Doorward does not answer; trying again");
});
session.addEventListener("out", ({ detail: { reason } }) => {
  clear();
  show("out");
  tell(reasons[reason] ?? (reason ? "The session has ended. Log in again." : "Not logged in"));
});

find("out").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = event.target;
  find("refused").replaceChildren(); // The same words once more would not be read out.
  await busy(form.querySelector("button"), async () => {
    const refusal = await session.login(form.username.value, form.password.value);
    find("refused").textContent = refusal ? plain(refusal) : "";
    form.password.value = "";
    form.password.focus();
  }, find("refused"));
});

find("call").addEventListener("click", (event) => busy(event.target, async () => {
  const answer = await session.fetch(`${doorward}/protected`);
  const body = await answer.json();
  find("answer").textContent = body.message ?? body.error_description;
}, find("answer")));

find("leave").addEventListener("click", (event) => busy(event.target, () => session.logout(), find("answer")));

// Who is here, and their sessions.
async function welcome() {
  const me = await read("/me");
  find("name").textContent = me.username ?? me.subject;
  find("roles").replaceChildren(...me.roles.map((role) => element("span", role)));
  const { sessions } = await read("/sessions");
  find("sessions").replaceChildren(...sessions.map(row));
}

async function read(path) {
  const answer = await session.fetch(doorward + path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

function row({ id, created_at: created, current }) {
  const item = element("li", `Since ${new Date(created).toLocaleString()}`);
  if (current) {
    item.append(element("span", "this one"));
    return item;
  }
  const end = element("button", "End");
  end.className = "quiet";
  end.addEventListener("click", () => busy(end, async () => {
    await session.fetch(`${doorward}/sessions/${id}`, { method: "DELETE" });
    await welcome();
  }, find("answer")));
  item.append(end);
  return item;
}

// Nothing of an earlier session stays on the page.
function clear() {
  for (const id of ["answer", "name", "refused", "roles", "sessions"]) find(id).replaceChildren();
}

function show(state) {
  document.querySelector("main").removeAttribute("aria-busy");
  for (const id of ["waiting", "out", "in"]) find(id).hidden = id !== state;
  if (state === "out") find("out").username.focus();
}

function tell(text) {
  const line = element("li", text);
  line.prepend(element("time", new Date().toLocaleTimeString()));
  find("news").prepend(line);
  while (find("news").children.length > 4) find("news").lastChild.remove();
}

function plain({ error_description: text, retryAfter: wait }) {
  return wait ? `${text} (${span(wait)})` : text;
}

function span(ms) {
  return ms < 120_000 ? `${Math.ceil(ms / 1000)} s` : `${Math.ceil(ms / 60_000)} min`;
}

function measure() {
  find("fresh").value = session.freshness;
}

// Does something with a button held down, and says under it what went wrong.
async function busy(button, work, place) {
  button.disabled = true;
  await attempt(work, place);
  button.disabled = false;
}

async function attempt(work, place = find("answer")) {
  try {
    await work();
  } catch {
    place.textContent = "Doorward does not answer. Try again.";
  }
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

setInterval(measure, 500);
session.start();
