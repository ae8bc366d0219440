// Shows new mails without reloading: asks every two seconds for the newest
// number and fetches the page again when it changed. Focus stays on its link.
const main = document.getElementById("live");

async function refresh() {
  if (document.hidden || main.dataset.newest === undefined) return;
  const to = new URLSearchParams(location.search).get("to") ?? "";
  const newest = await (await fetch("/api/messages?limit=1&to=" + encodeURIComponent(to))).json();
  if ((newest.messages[0]?.id ?? 0) === Number(main.dataset.newest)) return;
  const page = new DOMParser().parseFromString(await (await fetch(location.href)).text(), "text/html");
  const focused = main.contains(document.activeElement) && document.activeElement.getAttribute("href");
  const fresh = page.getElementById("live");
  main.replaceChildren(...fresh.childNodes);
  main.dataset.newest = fresh.dataset.newest;
  if (focused) main.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
}

setInterval(() => refresh().catch(() => {}), 2000); // the stack may be restarting
