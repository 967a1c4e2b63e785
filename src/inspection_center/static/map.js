// The floor plan: metres on a plain plane (Leaflet's CRS.Simple), x to the right, y up, one picture a second.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("map");
  if (!place || !window.L) return;
  const map = L.map(place, { crs: L.CRS.Simple, minZoom: -2, maxZoom: 6, attributionControl: false, zoomSnap: 0.5 });
  map.setView([15, 30], 3.5);
  const [west, south, east, north] = (place.dataset.bounds || "0,0,60,30").split(",").map(Number);
  const bounds = [[south, west], [north, east]];
  if (place.dataset.bounds) L.imageOverlay("/plan.png", bounds, { opacity: 0.6 }).addTo(map);
  else L.rectangle(bounds, { className: "hall", fill: false, weight: 2, color: "#5b6875" }).addTo(map);
  map.fitBounds(bounds);
  const layers = new Map();
  const mark = (shape, name) => L.divIcon({ className: "", html: `<span class="mark ${shape}" aria-hidden="true"></span>`, iconSize: [16, 16], tooltipAnchor: [8, 0], name });

  const show = (key, shape, x, y, text, link) => {
    let marker = layers.get(key);
    if (!marker) {
      marker = L.marker([y, x], { icon: mark(shape), title: text, alt: text, keyboard: Boolean(link) }).addTo(map);
      if (link) marker.on("click keypress", () => { window.location.href = link; });
      layers.set(key, marker);
    }
    if (marker.shape !== shape) { marker.setIcon(mark(shape)); marker.shape = shape; }
    marker.setLatLng([y, x]);
    marker.seen = true;
  };

  const refresh = async () => {
    try {
      const answer = await fetch("/live/map", { headers: { Accept: "application/json" } });
      if (!answer.ok) return;
      const state = await answer.json();
      layers.forEach((marker) => { marker.seen = false; });
      const words = place.dataset;
      state.people.forEach((one) => show(`p:${one.id}`, "person", one.x, one.y, words.person));
      state.robots.forEach((one) => show(`r:${one.name}`, one.silent ? "silent" : "robot", one.x, one.y,
        `${one.silent ? words.silent : words.robot} ${one.name}`, `/robots/${encodeURIComponent(one.name)}`));
      state.alarms.forEach((one) => show(`a:${one.id}`, "alarm", one.x, one.y, one.kind, `/alerts/${one.id}`));
      layers.forEach((marker, key) => { if (!marker.seen) { marker.remove(); layers.delete(key); } });
    } catch (error) {
      console.warn("map", error);
    } finally {
      setTimeout(refresh, document.hidden ? 5000 : 1000);
    }
  };
  refresh();
});
