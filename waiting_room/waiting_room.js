// The waiting room asks the gateway whether there is room, and takes the buyer back when there is.
// It decides four things: when to ask, what to say, where to go back to, and whether to go by itself.
"use strict";
{
  const FIRST_LOOK_MS = [500, 2500]; // diverted in one burst, asking spread out
  const WAIT_MS = [1000, 600_000]; // the server's word counts between these limits
  const WAIT_DEFAULT_MS = 5000; // when an answer names no time
  const WAIT_JITTER = 0.2; // a crowd told "in 5 s" must not come back in one second
  const BACKOFF_MS = [2000, 60_000]; // between looks while nobody answers, with full jitter
  const SELDOM_MS = 30_000; // sold out, or a buyer who stays although there is room: no hurry, and no room wasted
  const HIDDEN_MS = 60_000; // nobody sees this tab: look seldom
  const SHOWN_MS = [0, 1000]; // somebody sees it again: look soon
  const ANSWER_MAX_MS = 10_000; // a slower answer counts as none
  const GRACE_MS = 5000; // the moment in which a buyer may say "stay here"
  const URL_MAX = 2048; // characters of a return address
  const PRODUCT_MAX = 128; // characters of a product id

  const TEXTS = {
    busy: [
      "Waiting: the shop is full",
      "The shop is full just now",
      "More people came at once than we can serve well, so you are in the waiting room.",
    ],
    open: ["There is room. Going back", "There is room", "Taking you back now."],
    ready: ["There is room", "There is room", "Go back whenever you are ready."],
    sold_out: [
      "Sold out",
      "Sold out, for now",
      "The last one has gone, and we are sorry. Sometimes one comes back when somebody cancels: this page looks " +
        "now and then, and tells you.",
    ],
    away: [
      "Waiting: the shop is not answering",
      "The shop is not answering",
      "It may need a moment. This page keeps trying, and there is nothing you need to do.",
    ],
  };

  const $ = (id) => document.getElementById(id);
  const meta = (name) => document.querySelector(`meta[name="flux-gate-${name}"]`)?.content.trim() ?? "";
  const between = ([low, high]) => low + Math.random() * (high - low);
  const clamp = (value, [low, high]) => Math.min(high, Math.max(low, value));
  const clock = () => new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });

  const query = new URLSearchParams(location.search);
  const home = $("back").href; // the link without a script is the default return address
  const goal = returnAddress();
  let state = "busy";
  let timer = 0;
  let notBefore = 0; // the server's word: no look before this time
  let failures = 0; // looks without an answer, in a row
  let looks = 0;
  let looking = false;

  // Where to go back to: the page's own query, else the referrer, else home.
  function returnAddress() {
    const allowed = [home, ...meta("return-origins").split(/\s+/)].map((url) => parsed(url)?.origin);
    return safe(query.get("return"), allowed) ?? safe(document.referrer, allowed) ?? home;
  }

  // The address if it is a plain path or an http(s) URL on an allowed origin, else null. The text is judged before
  // it is parsed, because URL parsers forgive: they drop tabs, turn "\" into "/", and read "http:x" as a path.
  function safe(text, allowed) {
    if (!text || text.length > URL_MAX || /[\x00-\x20\x7f-\x9f\\]/.test(text)) return null;
    if (!/^\/(?!\/)|^https?:\/\/[^/?#@]+([/?#]|$)/i.test(text)) return null;
    const url = parsed(text, home);
    if (!url) return null;
    const here = url.origin === location.origin && url.pathname === location.pathname; // would turn in a circle
    const web = url.protocol === "http:" || url.protocol === "https:";
    return web && !url.username && !url.password && !here && allowed.includes(url.origin) ? url.href : null;
  }

  function parsed(text, base) {
    try {
      return new URL(text, base);
    } catch {
      return null;
    }
  }

  // The live region is written only when what it says changes; a repeated answer is not news.
  function say(next) {
    if (next === state) return;
    state = next;
    const [title, head, lead] = TEXTS[state];
    document.title = title;
    document.documentElement.dataset.state = state;
    $("head").textContent = head;
    $("lead").textContent = lead;
    $("back").textContent = state === "open" || state === "ready" ? "Go back now" : "Look again";
    const hadFocus = document.activeElement === $("stay");
    $("stay").hidden = state !== "open";
    if (hadFocus && state !== "open") $("back").focus(); // a hidden button would lose the keyboard's place
  }

  function later(ms, what = look) {
    clearTimeout(timer);
    timer = setTimeout(what, ms);
  }

  // Ask again when the server's word allows, seldom while nobody sees this tab.
  function plan(ms, jitter = (wait) => wait * between([1 - WAIT_JITTER, 1 + WAIT_JITTER])) {
    const wait = jitter(ms);
    notBefore = Date.now() + wait;
    later(document.hidden ? Math.max(wait, between([HIDDEN_MS, HIDDEN_MS * (1 + WAIT_JITTER)])) : wait);
  }

  async function look() {
    if (looking) return;
    looking = true;
    const abort = new AbortController();
    const limit = setTimeout(() => abort.abort(), ANSWER_MAX_MS);
    try {
      const response = await fetch(admission(), {
        signal: abort.signal,
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
        referrerPolicy: "no-referrer",
      });
      const answer = await response.json().catch(() => ({}));
      hear(response, answer ?? {});
    } catch {
      noAnswer();
    } finally {
      clearTimeout(limit);
      looking = false;
      looks += 1;
      $("log").textContent = `Asked ${looks === 1 ? "once" : looks + " times"}, last at ${clock()}.`;
    }
  }

  function admission() {
    const url = new URL(meta("gateway").replace(/\/+$/, "") + "/admission");
    const product = query.get("productId") || meta("product");
    if (product && product.length <= PRODUCT_MAX) url.searchParams.set("productId", product);
    return url.href;
  }

  function hear(response, answer) {
    const asked = retryAfterMs(response, answer);
    const understood = response.ok ? typeof answer.status === "string" : asked !== null;
    if (!understood) return noAnswer(response.status === 429 ? "busy" : "away");
    failures = 0;
    const wait = clamp(asked ?? WAIT_DEFAULT_MS, WAIT_MS);
    if (response.ok && answer.status === "open") return room(wait);
    if (response.ok && answer.status === "sold_out") {
      say("sold_out");
      return plan(Math.max(wait, SELDOM_MS));
    }
    say(response.ok || response.status === 429 ? "busy" : "away");
    // Retry-After is a promise not to come sooner: its jitter only adds.
    return plan(wait, response.ok ? undefined : (ms) => ms * between([1, 1 + WAIT_JITTER]));
  }

  // Milliseconds until the server wants to be asked again, null when it did not say.
  function retryAfterMs(response, answer) {
    const header = response.ok ? null : response.headers.get("Retry-After");
    const seconds = header === null ? NaN : /^\d+$/.test(header) ? +header : (Date.parse(header) - Date.now()) / 1000;
    if (Number.isFinite(seconds)) return seconds * 1000;
    return Number.isFinite(answer.retryAfterMs) ? answer.retryAfterMs : null;
  }

  function noAnswer(next = "away") {
    failures += 1;
    say(next);
    const [low, high] = BACKOFF_MS;
    plan(low, () => between([low, Math.min(high, low * 2 ** failures)]));
    notBefore = 0; // our own caution, not the server's word: a buyer who comes back is worth a look
  }

  // There is room. Go back after a moment in which the buyer can refuse; a hidden tab waits to be seen,
  // for a place that nobody takes helps nobody.
  function room(wait) {
    if (document.hidden || !$("auto").checked) {
      say("ready");
      plan(Math.max(wait, SELDOM_MS));
      notBefore = 0;
      return;
    }
    say("open");
    later(GRACE_MS, () => {
      later(ANSWER_MAX_MS); // should the way back lead nowhere, this page stays alive
      location.replace(goal);
    });
  }

  function stay() {
    $("auto").checked = false;
    if (state === "open") room(WAIT_DEFAULT_MS);
  }

  // Shown again: look soon, though never sooner than the server's word. Hidden: a return under way is called off.
  function seen() {
    if (document.hidden) {
      if (state === "open") return room(WAIT_DEFAULT_MS);
      return later(Math.max(notBefore - Date.now(), between([HIDDEN_MS, HIDDEN_MS * (1 + WAIT_JITTER)])));
    }
    return later(Math.max(notBefore - Date.now(), between(SHOWN_MS)));
  }

  $("back").href = goal;
  $("stay").addEventListener("click", stay);
  $("auto").addEventListener("change", () => ($("auto").checked ? seen() : stay()));
  addEventListener("keydown", (event) => event.key === "Escape" && state === "open" && stay());
  document.addEventListener("visibilitychange", seen);
  addEventListener("pageshow", (event) => event.persisted && seen());
  addEventListener("online", () => state === "away" && seen());
  document.documentElement.style.setProperty("--grace", `${GRACE_MS}ms`);
  document.documentElement.classList.add("script"); // shows what only works with a script
  later(between(document.hidden ? [HIDDEN_MS, HIDDEN_MS] : FIRST_LOOK_MS));
}
