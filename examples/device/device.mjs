#!/usr/bin/env node
// A client of Doorward for a device that loses answers: a phone in a tunnel, a sensor on a bad line. Node 18, nothing else.
//
//     node device.mjs login NAME < password    begin a session, kept in a file
//     node device.mjs get /me                  call the API; the access token is renewed when it is due
//     node device.mjs refresh                  renew it now
//     node device.mjs logout                   end the session
//
// Three rules keep such a client logged in. A refresh token is on the disk before it is used. A refresh whose answer did
// not come is asked for again with the same token. After invalid_grant there is nothing to ask for: somebody has to log in.

import { open, readFile, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";

const margin = 10_000; // ms before its end at which an access token is not sent any more
const patience = 120_000; // ms for which one thing is tried

// There is no session any more. The message is the reason, as Doorward names it.
export class LoggedOut extends Error {}

// Doorward did not do it. The session is as it was.
export class Refused extends Error {}

// No answer came for as long as patience. The session is as it was.
export class Unreachable extends Error {}

// One session with Doorward, kept in one file.
export class Device {
  #server;
  #file;
  #timeout;
  #tokens = null;

  constructor(server, file, timeout = 10_000) {
    this.#server = server.replace(/\/+$/, "");
    this.#file = file;
    this.#timeout = timeout;
  }

  // Begins a session. If answers are lost it may begin two; the one that nobody holds lapses.
  async login(username, password) {
    const answer = await this.#insist("POST", "/login", { body: { username, password } });
    if (answer.status !== 200) throw new Refused(answer.told("error_description"));
    await this.#keep(JSON.parse(answer.text));
  }

  // Calls the API. A token that is refused all the same is renewed once.
  async get(path) {
    if ((await this.#session()).expires - Date.now() < margin) await this.refresh();
    let answer = await this.#authorized(path);
    if (answer.status === 401) {
      await this.refresh();
      answer = await this.#authorized(path);
    }
    return answer;
  }

  // Renews the access token. The same token is sent until an answer comes.
  async refresh() {
    const { refresh_token } = await this.#session();
    const answer = await this.#insist("POST", "/refresh", { body: { refresh_token } });
    if (answer.told("error") === "invalid_grant") {
      await this.#forget();
      throw new LoggedOut(answer.told("reason") || "invalid_grant");
    }
    if (answer.status !== 200) throw new Refused(answer.told("error_description"));
    await this.#keep(JSON.parse(answer.text));
  }

  // Ends the session on the server, then here.
  async logout() {
    const { refresh_token } = await this.#session();
    const answer = await this.#insist("POST", "/logout", { body: { refresh_token } });
    if (answer.status !== 204 && answer.told("error") !== "invalid_grant") throw new Refused(answer.told("error_description"));
    await this.#forget();
  }

  async #session() {
    if (this.#tokens) return this.#tokens;
    try {
      this.#tokens = JSON.parse(await readFile(this.#file, "utf8"));
    } catch (error) {
      if (error.code !== "ENOENT") throw error;
      throw new LoggedOut("nobody has logged in");
    }
    return this.#tokens;
  }

  #authorized(path) {
    return this.#insist("GET", path, { headers: { Authorization: `Bearer ${this.#tokens.access_token}` } });
  }

  // Sends a request until it is answered with something else than "later".
  async #insist(method, path, request) {
    const begun = performance.now();
    for (let wait = 500; ; wait = Math.min(2 * wait, 30_000)) {
      const answer = await this.#ask(method, path, request);
      if (answer && answer.status !== 429 && answer.status < 500) return answer;
      const trouble = answer ? `status ${answer.status}` : "no answer";
      const pause = Math.max(answer?.retryAfter ?? 0, wait * (0.5 + Math.random()));
      if (performance.now() - begun + pause > patience) throw new Unreachable(trouble);
      console.error(`${path}: ${trouble}; asking again in ${(pause / 1000).toFixed(1)} s`);
      await sleep(pause);
    }
  }

  // One request; null if no whole answer of Doorward's came.
  async #ask(method, path, { body, headers = {} }) {
    try {
      const answer = await fetch(this.#server + path, {
        method,
        redirect: "manual",
        headers: body ? { "Content-Type": "application/json" } : headers,
        body: body && JSON.stringify(body),
        signal: AbortSignal.timeout(this.#timeout),
      });
      const content = await answer.text();
      if (body && answer.status === 200 && !told(content, "refresh_token")) return null; // the login page of a hotel's network
      return {
        status: answer.status,
        text: content,
        told: (member) => told(content, member),
        retryAfter: 1000 * (Number.parseInt(answer.headers.get("Retry-After"), 10) || 0),
      };
    } catch {
      return null;
    }
  }

  // Writes the tokens so that after a crash the file holds either the old ones or the new ones.
  async #keep({ refresh_token, access_token, expires_in }) {
    this.#tokens = { refresh_token, access_token, expires: Date.now() + 1000 * expires_in };
    const beside = `${this.#file}.new`;
    const stored = await open(beside, "w", 0o600);
    try {
      await stored.writeFile(JSON.stringify(this.#tokens));
      await stored.sync();
    } finally {
      await stored.close();
    }
    await rename(beside, this.#file);
    const folder = await open(dirname(resolve(this.#file)));
    await folder.sync().finally(() => folder.close());
  }

  async #forget() {
    this.#tokens = null;
    await rm(this.#file, { force: true });
  }
}

// A member of an answer, "" if it has none: something on the way may have answered instead.
function told(content, member) {
  try {
    return JSON.parse(content)[member] ?? "";
  } catch {
    return "";
  }
}

async function main() {
  const { values, positionals: [command, argument] } = parseArgs({
    allowPositionals: true,
    options: {
      server: { type: "string", default: "http://127.0.0.1:8080" },
      file: { type: "string", default: "session.json" },
    },
  });
  const device = new Device(values.server, values.file);
  switch (command) {
    case "login":
      await device.login(argument, (await text(process.stdin)).replace(/\n$/, ""));
      return "logged in";
    case "get":
      return (await device.get(argument)).text;
    case "refresh":
      await device.refresh();
      return "refreshed";
    case "logout":
      await device.logout();
      return "logged out";
    default:
      throw new Error("usage: device.mjs [--server URL] [--file FILE] login NAME | get PATH | refresh | logout");
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    console.log(await main());
  } catch (error) {
    console.error((error instanceof LoggedOut ? "logged out: " : "not done: ") + error.message);
    process.exitCode = 1;
  }
}
