// The handheld: which orders there are, one order step by step, what waits for the link.
import { signOut, synchronise } from "./link.js";
import { element, say, stepForm } from "./steps.js";
import * as store from "./store.js";

const AGAIN_MS = 10000;
const main = document.getElementById("main");
const link = document.getElementById("link");
const waitingPlace = document.getElementById("waiting");
const alarm = document.getElementById("alarm");
let shown = location.hash.slice(1);
let drawn = "";

// An order as it is with what waits here: what the officer did counts at once.
const overlay = (order, waiting) => {
  const copy = { ...order, steps: order.steps.map((step) => ({ ...step })) };
  for (const { body } of waiting.filter((record) => record.body.order_id === order.id && !record.refused)) {
    if (body.state === "taken") { copy.mine = true; copy.state = "accepted"; continue; }
    const step = copy.steps.find((one) => one.id === body.step);
    if (step) Object.assign(step, { state: body.state, value: body.value, number: body.number, note: body.note, waits: true });
    copy.mine = true;
    copy.state = "running";
  }
  return copy;
};

const unanswered = (order) => order.steps.filter((step) => step.required !== false && step.kind !== "result" && step.state === "open").map((step) => step.kind);
const isOpen = (order) => ["issued", "accepted", "running"].includes(order.state);
const isLate = (order) => isOpen(order) && order.due < new Date().toISOString();
const nextStep = (order) => order.steps.find((step) => step.state === "open" && (step.kind !== "result" || !unanswered(order).length));

const keep = async (order, step, state, answer, photos) => {
  const officer = await store.fact("officer");
  const body = { id: crypto.randomUUID(), order_id: order.id, step, state, recorded: new Date().toISOString(), ...answer };
  try {
    await store.addRecord(officer, body, photos);
  } catch (error) {
    alarm.textContent = say("handheld.no_room");
    return;
  }
  alarm.textContent = say("handheld.kept");
  await draw();
  exchange();
};

const due = (order) => element("span", { class: isLate(order) ? "badge late" : "faint" }, `${isLate(order) ? say("orders.late") + " · " : ""}${say("handheld.due")} ${new Date(order.due).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}`);
const place = (order) => order.place_name || (order.x === null ? "—" : `${order.x.toFixed(1)}, ${order.y.toFixed(1)} m`);

const card = (order) => {
  const answered = order.steps.filter((step) => step.state !== "open").length;
  return element("li", {}, element("a", { class: `card order${isLate(order) ? " late" : ""}`, href: `#${order.id}` },
    element("strong", {}, say(`order_kind.${order.kind}`)), element("span", { class: "where" }, place(order)),
    element("span", { class: "row" }, due(order), element("span", { class: "faint" }, isOpen(order) ? say("handheld.progress", { done: answered, all: order.steps.length }) : say(`order_state.${order.state}`))),
    element("progress", { max: order.steps.length || 1, value: answered, "aria-label": say("orders.steps") })));
};

const list = (title, orders, empty) => element("section", {}, element("h2", {}, title),
  orders.length ? element("ul", { class: "orders" }, ...orders.map(card)) : element("p", { class: "faint" }, empty));

const drawList = (orders) => {
  const open = orders.filter(isOpen);
  main.replaceChildren(
    list(say("handheld.mine"), open.filter((order) => order.mine), say("handheld.none_mine")),
    list(say("handheld.free"), open.filter((order) => !order.mine), say("handheld.none_free")),
    list(say("handheld.finished"), orders.filter((order) => !isOpen(order)), say("handheld.none_finished")),
  );
};

// A form that somebody is filling in outlives what the center tells meanwhile.
let filling = { key: "", form: null };
const formFor = (order, step) => {
  const key = `${order.id}/${step.id}/${unanswered(order).join()}`;
  if (filling.key !== key) filling = { key, form: stepForm(step, unanswered(order), (state, answer, photos) => keep(order, step.id, state, answer, photos)) };
  return filling.form;
};

const drawStep = (order, step, current) => {
  const told = [step.number, step.value ? say(`step_value.${step.value}`) : "", step.note].filter(Boolean).join(" · ");
  return element("li", { class: `walk walk-${step.state}${current ? " current" : ""}`, "aria-current": current ? "step" : null },
    element("p", { class: "row" }, element("strong", {}, say(`step.${step.kind}`)),
      element("span", { class: `state state-${step.state}` }, say(`step_state.${step.state}`)),
      step.waits ? element("span", { class: "badge waits" }, say("handheld.waits")) : null),
    told ? element("p", { class: "faint" }, told) : null,
    current ? formFor(order, step) : null);
};

const drawOrder = (order) => {
  const next = order.mine && isOpen(order) ? nextStep(order) : null;
  const optional = next && next.required === false;
  const parts = [
    element("p", {}, element("a", { href: "#", class: "back" }, `‹ ${say("handheld.all")}`)),
    element("h1", {}, say(`order_kind.${order.kind}`), " ", element("small", {}, place(order))),
    element("p", { class: "row" }, due(order), element("span", { class: "faint" }, say("handheld.from", { officer: order.officer })),
      order.alert ? element("a", { href: `/alerts/${order.alert}` }, say("handheld.alert")) : null),
    isOpen(order) && !order.mine ? element("p", {}, element("button", { id: "take", onclick: () => keep(order, "", "taken", { value: "", number: "", note: "", photos: [] }, []) }, say("handheld.take"))) : null,
    element("ol", { class: "steps" }, ...order.steps.map((step) => drawStep(order, step, next === step))),
    optional ? element("p", { class: "faint" }, say("handheld.optional")) : null,
    order.receipt ? element("p", {}, element("a", { class: "button", href: `/receipts/${order.receipt}` }, say("handheld.receipt"))) : null,
  ];
  main.replaceChildren(...parts.filter(Boolean));
};

const drawWaiting = (all, officer) => {
  const waiting = all.filter((record) => !record.refused);
  const refused = all.filter((record) => record.refused);
  waitingPlace.hidden = !all.length;
  waitingPlace.replaceChildren(
    ...(waiting.length ? [element("p", { id: "waits" }, say("handheld.waiting", { number: waiting.length }),
      waiting.some((record) => record.officer !== officer) ? ` ${say("handheld.of_others")}` : "")] : []),
    ...refused.map((record) => element("p", { class: "problem" }, `${say("handheld.refused")}: ${say(`handheld.fault.${record.refused}`)} `,
      element("button", { class: "plain", onclick: async () => { await store.dropRecord(record); await draw(true); } }, say("handheld.discard")))),
  );
};

// One after the other: a slower one with older facts must not have the last word.
let drawing = Promise.resolve();
const draw = (always = false) => (drawing = drawing.then(() => drawNow(always), () => drawNow(always)));

const drawNow = async (always) => {
  const [orders, records, officer] = [await store.orders(), await store.records(), await store.fact("officer")];
  document.getElementById("officer").textContent = officer ?? "";
  drawWaiting(records, officer);
  const overlaid = orders.map((order) => overlay(order, records.filter((record) => record.officer === officer)));
  const order = overlaid.find((one) => one.id === shown);
  const state = JSON.stringify(order ?? overlaid) + shown;
  if (state === drawn && !always) return;
  drawn = state;
  const focused = document.activeElement;
  if (order) drawOrder(order);
  else drawList(overlaid);
  if (focused !== document.activeElement && main.contains(focused)) focused.focus();
};

// A call during an exchange is answered by one more: the running one may have found no link, or missed what is new.
let exchanging = false;
let again = false;
const exchange = async () => {
  again = true;
  if (exchanging) return;
  exchanging = true;
  try {
    while (again) {
      again = false;
      const state = await synchronise();
      link.dataset.state = state;
      link.textContent = link.dataset[state === "signed_out" ? "signedOut" : state];
      document.getElementById("sign-in").hidden = state !== "signed_out";
      await draw();
    }
  } finally {
    exchanging = false;
  }
};

window.addEventListener("hashchange", async () => {
  shown = location.hash.slice(1);
  await draw(true);
  main.focus();
});
window.addEventListener("online", exchange);
window.addEventListener("offline", exchange);
document.addEventListener("visibilitychange", () => { if (!document.hidden) exchange(); });
document.getElementById("sign-out").addEventListener("click", async () => {
  await signOut();
  location.href = "/login?next=/handheld";
});

const start = async () => {
  if ("serviceWorker" in navigator) await navigator.serviceWorker.register("/handheld-worker.js", { scope: "/handheld" });
  await navigator.storage?.persist?.();
  await draw(true);
  await exchange();
  setInterval(exchange, AGAIN_MS);
  // The center tells when orders changed; without a link this does nothing and comes back by itself.
  new EventSource("/live/stream").addEventListener("alerts", exchange);
};
start();
