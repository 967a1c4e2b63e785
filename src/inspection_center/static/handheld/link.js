// The link to the center: sends what waits, in order, each thing as often as needed and counted once; fetches orders.
import * as store from "./store.js";

const BATCH = 50;
const PATIENCE_MS = 15000;

export class SignedOut extends Error {}
export class Unreachable extends Error {}

const ask = async (path, options = {}) => {
  let answer;
  try {
    answer = await fetch(path, { cache: "no-store", credentials: "same-origin", signal: AbortSignal.timeout(PATIENCE_MS), ...options, headers: { Accept: "application/json", ...options.headers } });
  } catch (error) {
    throw new Unreachable(String(error));
  }
  if (answer.status === 401 || answer.status === 403) throw new SignedOut();
  if (answer.status >= 500 || answer.status === 429) throw new Unreachable(String(answer.status));
  return answer;
};

const fetchState = async () => {
  const state = await (await ask("/handheld/state")).json();
  await store.setFacts({ officer: state.officer, seen: state.time });
  await store.setOrders(state.orders);
  return state;
};

const sendPhotos = async (csrf, record) => {
  for (const sha256 of record.body.photos) {
    const kept = await store.photo(sha256);
    if (!kept || kept.sent) continue;
    const answer = await ask(`/handheld/photos/${sha256}`, { method: "PUT", body: kept.data, headers: { "X-CSRF-Token": csrf, "Content-Type": "image/jpeg" } });
    if (!answer.ok) return "photo";
    await store.photoSent(kept);
  }
  return "";
};

const exchange = async () => {
  const state = await fetchState();
  let waiting = (await store.records()).filter((record) => record.officer === state.officer && !record.refused);
  if (!waiting.length) return;
  const accepted = [];
  while (waiting.length) {
    const batch = [];
    for (const record of waiting.slice(0, BATCH)) {
      const fault = await sendPhotos(state.csrf, record);
      if (fault) await store.refuse(record, fault);
      else batch.push(record);
    }
    if (batch.length) {
      const body = JSON.stringify({ records: batch.map((record) => record.body) });
      const answer = await ask("/handheld/records", { method: "POST", body, headers: { "X-CSRF-Token": state.csrf, "Content-Type": "application/json" } });
      const told = answer.ok ? (await answer.json()).answers : {};
      for (const record of batch) {
        const reason = answer.ok ? told[record.body.id] : "unknown";
        if (reason) await store.refuse(record, reason);
        else accepted.push(record);
      }
    }
    waiting = waiting.slice(BATCH);
  }
  // Only what the center's answer shows as done is let go: in between, a step would seem open again.
  await fetchState();
  for (const record of accepted) await store.dropRecord(record);
};

// Two open pages of one handheld never send at the same time. Resolves with "connected", "offline" or "signed_out".
export const synchronise = () => navigator.locks.request("handheld-link", async () => {
  try {
    await exchange();
    return "connected";
  } catch (error) {
    if (error instanceof SignedOut) return "signed_out";
    if (error instanceof Unreachable) return "offline";
    throw error;
  }
});

export const signOut = async () => {
  const state = await (await ask("/handheld/state")).json();
  await store.forget();
  await ask("/logout", { method: "POST", redirect: "manual", headers: { "X-CSRF-Token": state.csrf } });
};
