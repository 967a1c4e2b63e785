// Findings by hour, drawn from the table below the chart (which says the same without the picture).
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("chart");
  const rows = [...document.querySelectorAll("#counts tr")];
  if (!place || !rows.length || !window.uPlot) return;
  const hours = new Map();
  for (const row of rows) {
    const time = Date.parse(`${row.dataset.hour}:00:00Z`) / 1000;
    const sums = hours.get(time) || [0, 0];
    hours.set(time, [sums[0] + Number(row.dataset.findings), sums[1] + Number(row.dataset.alarms)]);
  }
  const times = [...hours.keys()].sort((a, b) => a - b);
  const ink = getComputedStyle(document.body).getPropertyValue("color");
  new uPlot({
    title: place.dataset.title, width: Math.min(place.clientWidth || 900, 1200), height: 260,
    scales: { x: { range: [Date.now() / 1000 - Number(place.dataset.days) * 86400, Date.now() / 1000] } },
    axes: [{ stroke: ink }, { stroke: ink }],
    series: [{}, { label: place.dataset.findings, stroke: "#2a8bb5", width: 2, points: { show: true } },
      { label: place.dataset.alarms, stroke: "#c7303c", width: 2, dash: [6, 4], points: { show: true } }],
  }, [times, times.map((t) => hours.get(t)[0]), times.map((t) => hours.get(t)[1])], place);
});
