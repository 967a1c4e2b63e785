// Keeps the handheld's page for when there is no link. What the center answers in time comes first, always.
"use strict";

const SHELF = "handheld-1";
const PATIENCE_MS = 4000;
const PARTS = [
  "/handheld", "/handheld/manifest.webmanifest", "/static/console.css", "/static/icon.svg", "/static/handheld/handheld.css",
  ...["app", "container-number", "link", "photos", "steps", "store"].map((name) => `/static/handheld/${name}.js`),
];

self.addEventListener("install", (event) => {
  const requests = PARTS.map((path) => new Request(path, { cache: "reload" }));
  event.waitUntil(caches.open(SHELF).then((shelf) => shelf.addAll(requests)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const tidy = caches.keys().then((names) => Promise.all(names.filter((name) => name !== SHELF).map((name) => caches.delete(name))));
  event.waitUntil(tidy.then(() => self.clients.claim()));
});

const answerTo = async (request) => {
  const shelf = await caches.open(SHELF);
  const path = new URL(request.url).pathname;
  const kept = await shelf.match(path);
  try {
    const answer = await fetch(request, kept ? { signal: AbortSignal.timeout(PATIENCE_MS) } : undefined);
    if (answer.ok && !answer.redirected) await shelf.put(path, answer.clone());
    return answer.status >= 500 && kept ? kept : answer;
  } catch (error) {
    if (kept) return kept;
    throw error;
  }
};

self.addEventListener("fetch", (event) => {
  const address = new URL(event.request.url);
  if (event.request.method !== "GET" || address.origin !== self.location.origin || !PARTS.includes(address.pathname)) return;
  event.respondWith(answerTo(event.request));
});
