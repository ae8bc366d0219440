// Live updates: when something changes, fetch this page again and carry the difference over into <main>, node by node, so that focus,
// scroll, selections and open forms stay as they are. Without this file everything works; pages renew when they are reloaded.
"use strict";
(() => {
  const main = document.querySelector("main[data-live]");
  const state = document.getElementById("live");
  const word = document.getElementById("live-state");
  const said = document.getElementById("said");
  if (!main || !window.EventSource) return;

  const calm = 400;      // gather changes for this long
  const atMostEvery = 1500;
  let source, timer, fetched = 0, again = false, busy = false, greeted = false;

  // A form that somebody uses belongs to them: open, focused or with something typed.
  const inUse = (node) => node.matches("[data-keep]") &&
    (node.contains(document.activeElement) || node.querySelector("details[open]") !== null);

  const key = (node) => node.nodeType === 1 ? node.id || node.dataset.key || "" : "";
  const alike = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && key(a) === key(b);

  function carryAttributes(from, to) {
    // What a person has folded out stays so: "open" is theirs.
    for (const { name } of [...to.attributes]) if (!from.hasAttribute(name) && name !== "open") to.removeAttribute(name);
    for (const { name, value } of from.attributes) if (to.getAttribute(name) !== value) to.setAttribute(name, value);
  }

  function carry(from, to) {
    if (to.nodeType === 3) {
      if (to.data !== from.data) to.data = from.data;
      return;
    }
    if (to.nodeType !== 1 || inUse(to) || to.isEqualNode(from)) return;
    if (to === document.activeElement && to.matches("input, select, textarea")) return;
    carryAttributes(from, to);
    carryChildren(from, to);
  }

  function carryChildren(from, to) {
    let here = to.firstChild;
    const named = new Set([...from.childNodes].map(key));
    for (const wanted of [...from.childNodes]) {
      let match = here;
      while (match && !alike(match, wanted)) {
        // Reaching past a named node that stays would drop it.
        match = !key(wanted) && key(match) && named.has(key(match)) ? null : match.nextSibling;
      }
      if (!match) {
        const added = document.importNode(wanted, true);
        to.insertBefore(added, here);
        if (added.nodeType === 1) freshen(added);
        continue;
      }
      if (match !== here && (key(match) || match.contains(document.activeElement))) {
        to.insertBefore(match, here);
      } else {
        while (here !== match) here = drop(here);
        here = match.nextSibling;
      }
      carry(wanted, match);
    }
    while (here) here = drop(here);
  }

  function drop(node) {
    const next = node.nextSibling;
    if (!(node.nodeType === 1 && inUse(node))) node.remove();
    return next;
  }

  function freshen(node) {
    if (!node.matches("li, tr, .badge")) return;
    node.classList.add("fresh");
    node.addEventListener("animationend", () => node.classList.remove("fresh"), { once: true });
  }

  async function renew() {
    if (busy) { again = true; return; }
    busy = true;
    fetched = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store", credentials: "same-origin" });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const next = page.querySelector("main[data-live]");
      if (!next) return;
      const before = main.dataset.summary;
      carryAttributes(next, main);
      carryChildren(next, main);
      document.title = page.title;
      if (main.dataset.summary !== before) said.textContent = main.dataset.summary;
      document.dispatchEvent(new CustomEvent("recoup:renewed"));
    } catch {
      // Offline or stopped: the stream tells, and the next change tries again.
    } finally {
      busy = false;
      if (again) { again = false; soon(); }
    }
  }

  function soon() {
    if (timer) return;
    timer = setTimeout(() => { timer = 0; renew(); }, Math.max(calm, fetched + atMostEvery - Date.now()));
  }

  function show(live) {
    state.hidden = false;
    state.classList.toggle("away", !live);
    word.textContent = live ? "Live" : "Reconnecting";
  }

  function open() {
    if (source) return;
    source = new EventSource(main.dataset.live);
    source.addEventListener("hello", () => {
      show(true);
      if (greeted) soon(); // what happened while the stream was away
      greeted = true;
    });
    source.addEventListener("error", () => show(false));
    source.addEventListener("change", (event) => {
      const { cases } = JSON.parse(event.data);
      const watch = main.dataset.watch;
      if (!watch || cases.length === 0 || cases.includes(watch)) soon();
    });
  }

  function shut() {
    if (source) source.close();
    source = undefined;
  }

  // A page nobody looks at holds no connection: browsers allow few of them per site.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { shut(); } else { open(); soon(); }
  });
  window.addEventListener("pagehide", shut);
  window.addEventListener("pageshow", (event) => { if (event.persisted) { open(); soon(); } });

  // Relative times stay true between changes; the server says the same (when.go).
  const units = [["year", 31536e3], ["month", 2592e3], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  function relative(at) {
    const seconds = Math.trunc((at - Date.now()) / 1000);
    const span = Math.abs(seconds);
    for (const [name, size] of units) {
      if (span < size * (name === "month" ? 2 : 1)) continue;
      const n = Math.trunc(span / size);
      const text = n + " " + name + (n === 1 ? "" : "s");
      return seconds < 0 ? text + " ago" : "in " + text;
    }
    return "now";
  }
  function tick() {
    for (const time of main.querySelectorAll("time:has([data-rel])")) {
      const text = relative(Date.parse(time.dateTime));
      const place = time.querySelector("[data-rel]");
      if (place.textContent !== text) place.textContent = text;
    }
  }
  setInterval(tick, 1000);

  if (!document.hidden) open();
})();
