// One image at a time, answered by keyboard, mouse or touch; answers are kept in the browser.
"use strict";
const content = JSON.parse(document.getElementById("content").textContent);
const items = content.items, questions = ["agree", "quality", "difficulty"];
const place = `prunecxr-${content.export}-reader-${content.reader}`;
const at = (id) => document.getElementById(id);
const radios = (name) => [...document.querySelectorAll(`input[name=${name}]`)];
let answers = {}, current = 0, marked = 0, kept = true, unsaved = false;

function restore() {
  try {
    const state = JSON.parse(localStorage.getItem(place) || "{}");
    const known = new Set(items.map((one) => one.item));
    for (const [item, given] of Object.entries(state.answers || {})) if (known.has(item)) answers[item] = given;
    if (Number.isInteger(state.current) && items[state.current]) current = state.current;
    unsaved = Boolean(state.unsaved);
    localStorage.setItem(place, JSON.stringify({answers, current, unsaved}));
  } catch { kept = false; }
  if (!kept) tell("This browser does not keep answers: save them before you close the page.");
}

function keep() {
  if (!kept) return;
  try { localStorage.setItem(place, JSON.stringify({answers, current, unsaved})); }
  catch { kept = false; tell("This browser keeps no more answers: save them now."); }
}

function tell(text) {
  at("notice").textContent = text;
  at("notice").hidden = !text;
}

const given = (index) => answers[items[index].item] || {};
const complete = (index) => questions.every((name) => given(index)[name] !== undefined);
const started = (index) => questions.some((name) => given(index)[name] !== undefined);

function mark(index) {
  marked = Math.max(0, Math.min(questions.length - 1, index));
  questions.forEach((name, i) => at(name).classList.toggle("marked", i === marked));
}

function markOpen() {
  const open = questions.findIndex((name) => given(current)[name] === undefined);
  mark(open < 0 ? 0 : open);
}

function count() {
  const n = items.filter((_, index) => complete(index)).length;
  at("progress").value = n;
  at("done").textContent = `${n} of ${items.length} answered`;
  at("open").hidden = n === items.length;
  [...at("overview").children].forEach((entry, index) => {
    const button = entry.firstChild;
    const state = complete(index) ? "answered" : started(index) ? "begun" : "open";
    button.className = state;
    button.setAttribute("aria-label", `Image ${index + 1}, ${state}`);
    if (index === current) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  });
  return n;
}

function show(index) {
  current = Math.max(0, Math.min(items.length - 1, index));
  const one = items[current], image = at("image");
  zoom(false);
  at("heading").textContent = `Image ${current + 1} of ${items.length}`;
  image.src = `data:image/png;base64,${one.png}`;
  image.alt = `Image ${current + 1}, item ${one.item}`;
  at("labels").replaceChildren(...(one.labels.length ? one.labels : ["no label"]).map((text) => {
    const entry = document.createElement("li");
    entry.textContent = text;
    return entry;
  }));
  for (const name of questions)
    for (const radio of radios(name)) radio.checked = String(given(current)[name]) === radio.value;
  at("previous").disabled = current === 0;
  at("next").disabled = current === items.length - 1;
  markOpen();
  count();
  keep();
}

function answer(name, value) {
  const own = answers[items[current].item] ||= {};
  own[name] = name === "agree" ? value : Number(value);
  unsaved = true;
  for (const radio of radios(name)) radio.checked = radio.value === value;
  const open = questions.findIndex((other) => own[other] === undefined);
  mark(open < 0 ? questions.indexOf(name) : open);
  const n = count();
  keep();
  if (n === items.length) tell("All images are answered. Press Save answers and return the file.");
  else if (kept) tell("");
}

function save() {
  const saved = items.filter((_, index) => started(index)).map((one) => ({item: one.item, ...answers[one.item]}));
  const {format, study, reader} = content;
  const text = JSON.stringify({format, study, export: content.export, reader, saved: new Date().toISOString(),
    answers: saved}, null, 1);
  const link = document.createElement("a");
  const name = `answers-${study}-reader-${String(reader).padStart(2, "0")}.json`.replaceAll(/[^\w.-]+/g, "_");
  link.href = URL.createObjectURL(new Blob([text], {type: "application/json"}));
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  unsaved = false;
  keep();
  const missing = items.filter((_, index) => !complete(index)).length;
  tell(missing ? `Saved as ${name}; ${missing} of ${items.length} images are not fully answered yet.`
    : `Saved as ${name}. Please return this file.`);
}

function nextOpen() {
  for (let step = 1; step <= items.length; step++) {
    const index = (current + step) % items.length;
    if (!complete(index)) return show(index);
  }
}

function zoom(wanted) {
  const frame = at("frame"), on = Boolean(wanted) && !at("zoom").hidden;
  frame.classList.toggle("full", on);
  at("zoom").setAttribute("aria-pressed", String(on));
  if (on) frame.focus({preventScroll: true});  // so that arrows scroll
  else if (document.activeElement === frame) frame.blur();
}

const toggle = () => zoom(!at("frame").classList.contains("full"));

function measured() {
  const image = at("image"), frame = at("frame");
  at("size").textContent = `${image.naturalWidth} × ${image.naturalHeight} pixels`;
  at("zoom").hidden = image.naturalWidth <= frame.clientWidth && image.naturalHeight <= frame.clientHeight;
}

function rate(key) {
  if (marked > 0) answer(questions[marked], key);
  else if (given(current).quality === undefined) answer("quality", key);
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const focused = document.activeElement, key = event.key.toLowerCase();
  // Who tabs to a radio button moves within its group by arrows, as everywhere.
  if (focused && focused.type === "radio" && key.startsWith("arrow")) return;
  if (at("frame").classList.contains("full") && focused === at("frame") && key.startsWith("arrow")) return;
  if (key === "enter" && focused && ["BUTTON", "SUMMARY"].includes(focused.tagName)) return;
  const actions = {
    y: () => answer("agree", "yes"), n: () => answer("agree", "no"), z: toggle, s: save,
    arrowleft: () => show(current - 1), arrowright: () => show(current + 1), enter: () => show(current + 1),
    arrowup: () => mark(marked - 1), arrowdown: () => mark(marked + 1),
  };
  if (/^[1-5]$/.test(key)) rate(key);
  else if (actions[key]) actions[key]();
  else return;
  event.preventDefault();
}

restore();
at("overview").replaceChildren(...items.map((_, index) => {
  const entry = document.createElement("li"), button = document.createElement("button");
  button.type = "button";
  button.textContent = index + 1;
  button.addEventListener("click", () => show(index));
  entry.append(button);
  return entry;
}));
for (const name of questions) {
  at(name).addEventListener("change", (event) => answer(name, event.target.value));
  at(name).addEventListener("focusin", () => mark(questions.indexOf(name)));
  // After a click or a touch, arrows show another image again instead of changing the answer.
  at(name).addEventListener("click", (event) => { if (event.detail > 0) document.activeElement.blur(); });
}
at("form").addEventListener("submit", (event) => event.preventDefault());
at("previous").addEventListener("click", () => show(current - 1));
at("next").addEventListener("click", () => show(current + 1));
at("open").addEventListener("click", nextOpen);
at("save").addEventListener("click", save);
at("zoom").addEventListener("click", toggle);
at("image").addEventListener("click", toggle);
at("image").addEventListener("load", measured);
window.addEventListener("resize", measured);
document.addEventListener("keydown", pressed);
window.addEventListener("beforeunload", (event) => { if (unsaved && !kept) event.preventDefault(); });
show(current);
if (Object.keys(answers).length) tell(unsaved ? "Welcome back: your answers are still here." :
  "Welcome back: your answers are still here, and saved.");
