// The floor plan: metres on a plain plane (Leaflet's CRS.Simple), x to the right, y up, one look a second.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("map");
  if (!place || !window.L) return;
  const words = place.dataset;
  const map = L.map(place, { crs: L.CRS.Simple, minZoom: -4, maxZoom: 7, attributionControl: false, zoomSnap: 0.25 });
  map.setView([0, 0], 3);
  const chooser = L.control.layers(null, null, { collapsed: false, position: "bottomleft" });
  const overlays = new Map();
  const marks = new Map();
  let framed = "";

  const corners = ([west, south, east, north]) => [[south, west], [north, east]];

  // Until a map is known the view follows what has a place.
  const frame = (state) => {
    const lowest = state.layers.find((one) => one.kind === "map");
    const wanted = lowest ? `map ${lowest.bounds.join()}` : "marks";
    if (wanted === framed) return;
    if (lowest) {
      map.fitBounds(corners(lowest.bounds));
      framed = wanted;
      return;
    }
    const points = [...state.robots, ...state.alarms].map((one) => [one.y, one.x]);
    if (!points.length) return;
    map.fitBounds(L.latLngBounds(points).pad(0.5), { maxZoom: 4 });
    framed = wanted;
  };

  const drawLayers = (layers) => {
    const seen = new Set();
    for (const one of layers) {
      const key = `${one.kind}/${one.robot}`;
      seen.add(key);
      const known = overlays.get(key);
      if (known && known.url === one.url) continue;
      if (known) {
        known.picture.setUrl(one.url);
        known.picture.setBounds(corners(one.bounds));
        known.url = one.url;
        continue;
      }
      const picture = L.imageOverlay(one.url, corners(one.bounds), { className: "cells", zIndex: one.kind === "map" ? 1 : 2, alt: words[one.kind] });
      picture.addTo(map);
      chooser.addOverlay(picture, `${words[one.kind]}${one.robot && one.kind !== "map" ? ` ${one.robot}` : ""}`);
      overlays.set(key, { picture, url: one.url });
    }
    overlays.forEach((known, key) => {
      if (seen.has(key)) return;
      chooser.removeLayer(known.picture);
      known.picture.remove();
      overlays.delete(key);
    });
    if (overlays.size) chooser.addTo(map);
  };

  const icon = (shape) => L.divIcon({ className: "", html: `<span class="mark ${shape}" aria-hidden="true"></span>`, iconSize: [18, 18] });

  const show = (key, shape, one, text, link) => {
    let mark = marks.get(key);
    if (!mark) {
      mark = L.marker([one.y, one.x], { icon: icon(shape), title: text, alt: text, keyboard: Boolean(link), zIndexOffset: { person: 0, alarm: 2000 }[shape] ?? 1000 }).addTo(map);
      if (link) mark.on("click keypress", () => { window.location.href = link; });
      if (link) mark.bindTooltip(text, { permanent: true, direction: "right", offset: [8, 0], className: `plate ${shape}` });
      mark.shape = shape;
      marks.set(key, mark);
    }
    if (mark.shape !== shape) {
      mark.setIcon(icon(shape));
      mark.setTooltipContent(text);
      mark.shape = shape;
    }
    mark.setLatLng([one.y, one.x]);
    if (shape === "robot" && one.heading !== null) {
      const drawn = mark.getElement() && mark.getElement().querySelector(".mark");
      if (drawn) { drawn.classList.add("turned"); drawn.style.setProperty("--turn", `${90 - one.heading * 180 / Math.PI}deg`); }
    }
    mark.seen = true;
  };

  const tellUnplaced = ({ robots, alarms }) => {
    const note = document.getElementById("unplaced");
    const parts = [];
    if (alarms) parts.push(words.unplacedAlarms.replace("{number}", alarms));
    if (robots.length) parts.push(words.unplacedRobots.replace("{names}", robots.slice(0, 6).join(", ") + (robots.length > 6 ? ` … (${robots.length})` : "")));
    note.textContent = parts.join(" · ");
  };

  const refresh = async () => {
    try {
      const answer = await fetch("/live/map", { headers: { Accept: "application/json" } });
      if (!answer.ok) return;
      const state = await answer.json();
      marks.forEach((mark) => { mark.seen = false; });
      drawLayers(state.layers);
      document.getElementById("no-plan").hidden = state.layers.some((one) => one.kind === "map");
      state.people.forEach((one) => show(`p:${one.id}`, "person", one, words[one.kind] || words.person));
      state.robots.forEach((one) => show(`r:${one.name}`, one.silent ? "silent" : "robot", one,
        one.silent ? `${one.name} · ${words.silent}` : one.name, `/robots/${encodeURIComponent(one.name)}`));
      state.ships.forEach((one) => show(`s:${one.mmsi}`, "ship", one, one.name));
      state.alarms.forEach((one) => show(`a:${one.id}`, "alarm", one, one.name, `/alerts/${one.id}`));
      marks.forEach((mark, key) => { if (!mark.seen) { mark.remove(); marks.delete(key); } });
      tellUnplaced(state.unplaced);
      frame(state);
      place.dataset.looked = String(Number(place.dataset.looked || 0) + 1);
    } catch (error) {
      console.warn("map", error);
    } finally {
      setTimeout(refresh, document.hidden ? 5000 : 1000);
    }
  };
  refresh();
});
