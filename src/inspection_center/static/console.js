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
