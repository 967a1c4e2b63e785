// What the pages need beyond htmx: announcing alarms, keeping live tables short, the state of the live link.
"use strict";

const announce = (text) => {
  const place = document.getElementById("alarm");
  if (place) place.textContent = text;
};

const showLink = (state) => {
  const place = document.getElementById("link");
  if (!place) return;
  place.dataset.state = state;
  place.textContent = place.dataset[state];
};

document.addEventListener("htmx:sseOpen", () => showLink("connected"));
document.addEventListener("htmx:sseError", () => showLink("lost"));
document.addEventListener("htmx:sseBeforeMessage", (event) => {
  // A stream may repeat what the page already shows after a reconnection: one row a finding.
  const id = /id="([a-z]+-[0-9a-f-]+)"/.exec(event.detail.data || "");
  if (id && document.getElementById(id[1])) event.preventDefault();
});
document.addEventListener("htmx:sseMessage", (event) => {
  const table = event.target.closest("[data-keep]");
  if (!table) return;
  table.querySelectorAll(".none").forEach((row) => row.remove());
  const newest = table.firstElementChild;
  if (newest && newest.dataset.alarm) announce(newest.dataset.alarm);
  while (table.children.length > Number(table.dataset.keep)) table.lastElementChild.remove();
});

// A finding may be told before its picture has arrived (a robot that catches up sends findings first).
document.addEventListener("error", (event) => {
  const picture = event.target;
  if (!(picture instanceof HTMLImageElement) || !Number(picture.dataset.retry)) return;
  picture.dataset.retry = String(Number(picture.dataset.retry) - 1);
  setTimeout(() => { picture.src = picture.src; }, 2000);
}, true);

// The queue was fetched again: announce what is new, keep the place of who works by keyboard.
let known = null;
let current = null;
const lookAtQueue = () => {
  const items = [...document.querySelectorAll("[data-alert]")];
  const ids = new Set(items.map((item) => item.dataset.alert));
  if (known) {
    const fresh = items.filter((item) => !known.has(item.dataset.alert));
    if (fresh.length) announce(fresh.map((item) => item.dataset.alarm).join(", "));
  }
  known = ids;
  items.forEach((item) => item.toggleAttribute("aria-current", false));
  const item = items.find((one) => one.dataset.alert === current);
  if (item) item.setAttribute("aria-current", "true");
};
document.addEventListener("DOMContentLoaded", lookAtQueue);
document.addEventListener("htmx:afterSwap", lookAtQueue);

// Keyboard: j and k walk the queue, the letters on buttons press them.
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
  const items = [...document.querySelectorAll("[data-alert]")];
  if (event.key === "j" || event.key === "k") {
    if (!items.length) return;
    const index = items.findIndex((item) => item.dataset.alert === current);
    const next = index < 0 ? 0 : Math.min(items.length - 1, Math.max(0, index + (event.key === "j" ? 1 : -1)));
    current = items[next].dataset.alert;
    lookAtQueue();
    items[next].focus();
    event.preventDefault();
    return;
  }
  const scope = document.querySelector('[data-alert][aria-current="true"]') || (items.length ? null : document);
  const button = scope && scope.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
  if (!button || (event.key === "Enter" && event.target.closest("a, button"))) return;
  event.preventDefault();
  const reason = document.getElementById("reason");
  if (event.key === "d" && reason && !reason.value.trim()) { reason.required = true; reason.focus(); return; }
  button.click();
});

// Live pictures: fetched again and again while the page is looked at; without one, the words below the picture show.
document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("img[data-refresh]").forEach((picture) => {
    const period = Number(picture.dataset.refresh);
    const again = (delay) => setTimeout(() => {
      if (document.hidden) again(period);
      else picture.src = `${picture.dataset.source}?${Date.now()}`;
    }, delay);
    picture.addEventListener("load", () => { picture.classList.remove("absent"); again(period); });
    picture.addEventListener("error", () => { picture.classList.add("absent"); again(2 * period); });
    again(0);
  });
});

document.querySelectorAll("[data-print]").forEach((button) => button.addEventListener("click", () => window.print()));
