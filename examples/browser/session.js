// One person's session with Doorward, in cookie mode.
//
// The refresh token lives in the cookie __Host-dw_refresh, which no script reads. The access token lives in this
// object and nowhere else: a tab that is closed or reloaded asks for a new one. Tabs do not coordinate their
// refreshes: Doorward takes any number of them at once for one client's. They only tell each other of login and logout.

const patience = 4; // tries of one refresh before the caller hears of it
const timeout = 10_000; // ms that one request may take
const margin = 5_000; // ms before the end at which a token is not sent any more

export class Session extends EventTarget {
  #doorward;
  #token = "";
  #session = ""; // whose token it is
  #ends = 0; // when the access token expires, by this machine's clock
  #life = 0; // ms from its making to its end
  #era = 0; // counts logins and logouts: what was asked in an earlier era is answered too late
  #pending = null; // the refresh under way
  #timer = 0;
  #tabs = new BroadcastChannel("doorward");

  // Of events: "in", "out" with detail {reason}, "refreshed", "offline" with detail {wait}: the ms that it was told to wait.
  constructor(doorward) {
    super();
    this.#doorward = doorward;
    this.#tabs.onmessage = ({ data }) => this.#heard(data);
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && this.#token && this.remaining < margin) this.#renew();
    });
  }

  // The share of the access token's life that is left, from 1 to 0.
  get freshness() {
    return this.#life ? Math.max(0, this.remaining / this.#life) : 0;
  }

  // How many milliseconds the access token is still good.
  get remaining() {
    return this.#token ? this.#ends - Date.now() : 0;
  }

  // Looks whether the cookie holds a session. Ends in an event "in", "out" or "offline".
  start() {
    this.#begin();
    return this.#renew();
  }

  // Logs in; the answer is null, or the error in Doorward's form, with retryAfter: the ms to wait, or 0.
  async login(username, password) {
    const answer = await this.#post("/login", { username, password, cookie: true });
    if (answer.status !== 200) return { ...answer.body, retryAfter: answer.retryAfter };
    this.#begin();
    this.#tabs.postMessage("login");
    this.#accept(answer.body);
    return null;
  }

  // Ends the session, here and in the other tabs. Throws if Doorward does not answer: then the session goes on.
  // Where somebody has cleared the cookies, the access token ends it.
  async logout() {
    let answer = await this.#post("/logout", {});
    if (answer.status === 401) {
      const init = { method: "POST", signal: AbortSignal.timeout(timeout) };
      answer = await this.#send(`${this.#doorward}/logout`, init, this.#token);
    }
    if (![204, 400, 401].includes(answer.status)) throw new Error("Doorward did not end the session");
    this.#tabs.postMessage("logout");
    this.#end("logout");
  }

  // As fetch, with the access token: renewed before it expires, and once after a 401. A body has to be one that can be
  // sent twice: text, a form or a blob, not a stream. No request is sent with the token of somebody who logged in after
  // it was made.
  async fetch(url, init = {}) {
    const era = this.#era;
    if (this.remaining < margin) await this.#refresh();
    const sent = era === this.#era ? this.#token : "";
    const answer = await this.#send(url, init, sent);
    if (answer.status !== 401 || !sent) return answer;
    if (sent === this.#token) await this.#refresh();
    return era === this.#era ? this.#send(url, init, this.#token) : answer;
  }

  #send(url, init, token) {
    const headers = new Headers(init.headers);
    if (token) headers.set("Authorization", `Bearer ${token}`);
    return fetch(url, { cache: "no-store", ...init, headers });
  }

  // One refresh at a time in this tab, whoever asks for it.
  #refresh() {
    if (!this.#pending) {
      const asked = this.#ask(this.#era).finally(() => {
        if (this.#pending === asked) this.#pending = null;
      });
      this.#pending = asked;
    }
    return this.#pending;
  }

  // A lost answer is asked for again: the cookie is still good, whether or not Doorward has moved on.
  async #ask(era) {
    for (let tried = 1; ; tried++) {
      const answer = await this.#post("/refresh", {}).catch(() => ({ status: 0 }));
      if (era !== this.#era) return;
      if (answer.status === 200) return this.#accept(answer.body);
      if (answer.status !== 0 && answer.status !== 429 && answer.status < 500) return this.#end(answer.body.reason ?? "");
      if (tried === patience) throw new Error("Doorward does not answer");
      if (answer.retryAfter) this.#tell("offline", { wait: answer.retryAfter });
      await pause(Math.max(answer.retryAfter ?? 0, 500 * 2 ** tried * (0.5 + Math.random())));
      if (era !== this.#era) return;
    }
  }

  // Refreshes on its own account: what goes wrong is an event, and is tried again.
  async #renew() {
    const era = this.#era;
    try {
      await this.#refresh();
    } catch {
      if (era !== this.#era) return;
      this.#tell("offline", { wait: 0 });
      this.#plan(10_000);
    }
  }

  #accept({ access_token: token, expires_in: seconds }) {
    const session = sessionOf(token);
    if (this.#token && session !== this.#session) this.#begin(); // Somebody has logged in elsewhere, and the cookie is theirs.
    this.#session = session;
    const known = this.#token !== "";
    this.#token = token;
    this.#life = seconds * 1000;
    this.#ends = Date.now() + this.#life;
    this.#plan(this.#life * (0.7 + 0.1 * Math.random()));
    this.#tell(known ? "refreshed" : "in");
  }

  #end(reason) {
    this.#begin();
    this.#tell("out", { reason });
  }

  // A new era: nothing of the earlier one is left, nor will come.
  #begin() {
    this.#era++;
    this.#token = "";
    this.#ends = this.#life = 0;
    this.#pending = null;
    clearTimeout(this.#timer);
  }

  #heard(news) {
    if (news === "logout") this.#end("logout");
    if (news === "login") this.start();
  }

  #plan(wait) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#renew(), wait);
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  // A request with the cookie. Throws if no whole answer comes.
  async #post(path, body) {
    const answer = await fetch(this.#doorward + path, {
      method: "POST",
      credentials: "include",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeout),
    });
    const text = await answer.text();
    return {
      status: answer.status,
      retryAfter: 1000 * Number(answer.headers.get("Retry-After")) || 0, // A proxy may write a date.
      body: text ? JSON.parse(text) : {},
    };
  }
}

// The session that an access token is of.
function sessionOf(token) {
  return JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))).sid;
}

function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
