// The form of one step: what can be said, what is still missing, and the record it makes.
import { fold, judge } from "./container-number.js";
import { prepare } from "./photos.js";

const page = JSON.parse(document.getElementById("page").textContent);
export const say = (key, values = {}) => {
  const text = page.words[key];
  if (text === undefined) throw new Error(`no text ${key}`);
  return text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
};
export const choicesOf = (kind) => page.choices[kind] ?? null;

export const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  Object.entries(attributes).forEach(([key, value]) => {
    if (value === false || value === null || value === undefined) return;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  });
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
};

// What a step's answer amounts to: done, or failed when something is not as it should be.
const stateOf = (kind, answer) => {
  if (kind === "container_number") return judge(answer.number).state === "right" ? "done" : "failed";
  const choices = choicesOf(kind);
  return choices && kind !== "result" && answer.value !== choices[0] ? "failed" : "done";
};

// The same rules as the center's (handheld/records.py): why an answer cannot be recorded yet, empty when it can.
const missing = (step, state, answer, unanswered) => {
  const choices = choicesOf(step.kind);
  if (state === "skipped") return answer.note ? "" : "reason";
  if (choices && !choices.includes(answer.value)) return "choice";
  if (step.kind === "container_number" && !answer.number) return "number";
  if (step.kind === "seal" && answer.value === "intact" && !answer.number) return "number";
  if (step.kind === "photo" && !answer.photos.length) return "photo";
  if (step.kind === "result" && unanswered.length) return "unfinished";
  return state === "failed" && !answer.note ? "reason" : "";
};

const numberField = (step, changed) => {
  const told = element("p", { class: "verdict", role: "status", id: `verdict-${step.id}` });
  const input = element("input", {
    name: "number", autocomplete: "off", autocapitalize: "characters", spellcheck: "false", maxlength: 40,
    "aria-describedby": told.id, inputmode: "text",
  });
  input.addEventListener("input", () => {
    if (step.kind === "container_number") {
      const { state, digit } = judge(input.value);
      told.dataset.state = state;
      told.textContent = state === "empty" ? "" : say(`handheld.number.${state}`, { digit });
    }
    changed();
  });
  return [element("label", {}, say(`handheld.${step.kind === "seal" ? "seal_number" : "container_number"}`), input), told];
};

const choiceField = (step, changed) => element(
  "fieldset", { class: "choices" }, element("legend", {}, say(`handheld.ask.${step.kind}`)),
  ...choicesOf(step.kind).map((value) => element(
    "label", { class: "choice" },
    element("input", { type: "radio", name: "value", value, onchange: changed }), element("span", {}, say(`step_value.${value}`)),
  )),
);

// Makes the form; `record(state, answer, photos)` is called with what was entered.
export const stepForm = (step, unanswered, record) => {
  const photos = [];
  const fault = element("p", { class: "problem", role: "alert" });
  const thumbnails = element("div", { class: "thumbnails" });
  const note = element("textarea", { name: "note", rows: 2, maxlength: 4000 });
  const button = element("button", { type: "submit" });
  const form = element("form", { class: "step-form", novalidate: true });
  const answer = () => {
    const given = new FormData(form);
    const number = String(given.get("number") ?? "").trim();
    return {
      number: step.kind === "container_number" ? fold(number) : number.toUpperCase(),
      value: String(given.get("value") ?? ""), note: note.value.trim(), photos: photos.map((photo) => photo.sha256),
    };
  };
  const changed = () => {
    const state = stateOf(step.kind, answer());
    const failed = state === "failed" && (step.kind === "container_number" ? answer().number : answer().value);
    button.textContent = say(failed ? "handheld.record_failed" : step.kind === "go_to" ? "handheld.arrived" : step.kind === "result" ? "handheld.file" : "handheld.record");
    button.classList.toggle("danger", Boolean(failed));
    fault.textContent = "";
  };
  const submit = (state) => {
    const given = answer();
    const reason = missing(step, state, given, unanswered);
    if (reason) {
      fault.textContent = reason === "unfinished" ? say("handheld.fault.unfinished_steps", { steps: unanswered.map((kind) => say(`step.${kind}`)).join(", ") }) : say(`handheld.fault.${reason}`);
      (reason === "reason" ? note : form.querySelector("input"))?.focus();
      return;
    }
    record(state, given, photos);
  };
  const camera = element("input", { type: "file", accept: "image/*", capture: "environment", class: "sr-only", id: `camera-${step.id}` });
  camera.addEventListener("change", async () => {
    for (const file of camera.files) {
      try {
        const photo = await prepare(file);
        photos.push(photo);
        thumbnails.append(element("img", { src: URL.createObjectURL(new Blob([photo.data], { type: "image/jpeg" })), alt: say("step.photo"), width: 96, height: 72 }));
        fault.textContent = "";
      } catch (error) {
        fault.textContent = say("handheld.fault.photo");
      }
    }
    camera.value = "";
  });
  form.append(
    ...(step.kind === "container_number" || step.kind === "seal" ? numberField(step, changed) : []),
    ...(choicesOf(step.kind) ? [choiceField(step, changed)] : []),
    element("label", {}, say("handheld.note"), note),
    thumbnails, fault,
    element("p", { class: "deeds" },
      element("label", { class: "button plain camera", for: camera.id }, say("handheld.take_photo")), camera, button,
      step.kind === "result" ? null : element("button", { type: "button", class: "plain", onclick: () => submit("skipped") }, say("handheld.skip"))),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit(stateOf(step.kind, answer()));
  });
  changed();
  return form;
};
