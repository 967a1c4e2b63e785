// Rates by day, drawn from the table below the chart (which says the same without the picture).
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("supervision-chart");
  const rows = [...document.querySelectorAll("#by-day tr[data-name]")];
  if (!place || !rows.length || !window.uPlot) return;
  const percent = (text) => (text === "" ? null : 100 * Number(text));
  const ink = getComputedStyle(document.body).getPropertyValue("color");
  new uPlot({
    title: place.dataset.title, width: Math.min(place.clientWidth || 900, 1200), height: 260,
    scales: { x: {}, y: { range: (_, low, high) => [0, Math.max(1, high || 1)] } },
    axes: [{ stroke: ink }, { stroke: ink, values: (_, ticks) => ticks.map((tick) => `${tick} %`) }],
    series: [{}, { label: place.dataset.interception, stroke: "#2a8bb5", width: 2, points: { show: true } },
      { label: place.dataset.overdue, stroke: "#c7303c", width: 2, dash: [6, 4], points: { show: true } }],
  }, [rows.map((row) => Date.parse(`${row.dataset.name}T12:00:00Z`) / 1000),
    rows.map((row) => percent(row.dataset.interceptionRate)), rows.map((row) => percent(row.dataset.overdueRate))], place);
});
