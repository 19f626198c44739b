// Questions before and after the clips, one page per part. The page reports missing and invalid answers below their
// questions. The server checks again.

import { fill } from "./trial_page.js";

let number = 0; // for field names that are unique on a page

// The form of a part. `words` are texts in the rater's language, `asked` the questions; `send` receives the answers.
export function form(words, asked, send) {
  const element = document.createElement("form");
  element.noValidate = true; // our messages are in the study's language
  const fields = asked.map((question) => field(words, question));
  const go = make("button", words.go_on, { type: "submit", class: "main" });
  const status = make("p", "", { role: "status", class: "status" });
  const row = make("div", "", { class: "row" });
  row.append(go);
  element.append(...fields.map((one) => one.box), row, status);
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (go.disabled) return;
    const wrong = fields.filter((one) => one.complain());
    if (wrong.length) { wrong[0].first.focus(); return; }
    go.disabled = true;
    status.textContent = words.saving;
    try {
      await send(Object.fromEntries(fields.map((one) => [one.id, one.value()])), () => { status.textContent = words.unsaved; });
    } finally {
      go.disabled = false;
    }
  });
  return element;
}

function make(name, text = "", attributes = {}) {
  const element = document.createElement(name);
  element.textContent = text;
  Object.entries(attributes).forEach(([key, value]) => element.setAttribute(key, value));
  return element;
}

function field(words, question) {
  const name = `q${number += 1}`;
  const problem = make("p", "", { class: "problem", id: `${name}-problem` });
  problem.hidden = true;
  const made = question.type === "choice" ? choices(question, name) : line(words, question, name);
  const hint = question.optional ? [make("span", ` ${words.optional}`, { class: "hint" })] : [];
  made.title.append(...hint);
  made.box.append(problem);
  const complain = () => {
    const said = wrong(words, question, made.value());
    problem.textContent = said;
    problem.hidden = !said;
    made.inputs.forEach((input) => {
      input.setAttribute("aria-invalid", String(Boolean(said)));
      if (said) input.setAttribute("aria-describedby", problem.id); else input.removeAttribute("aria-describedby");
    });
    return Boolean(said);
  };
  // check while the rater types: if the page moved at the click on its button, that click would be lost
  made.box.addEventListener("input", () => { if (!problem.hidden) complain(); });
  return { id: question.id, box: made.box, first: made.inputs[0], value: made.value, complain };
}

function choices(question, name) {
  const box = make("fieldset", "", { class: "asked" });
  const title = make("legend", question.text);
  const list = make("div", "", { class: "choices" });
  const inputs = question.choices.map((choice) => {
    const label = make("label");
    const input = make("input", "", { type: "radio", name, value: choice.id });
    label.append(input, make("span", choice.text));
    list.append(label);
    // an optional answer can be cleared
    if (question.optional) {
      let was = false;
      label.addEventListener("pointerdown", () => { was = input.checked; });
      input.addEventListener("click", () => { if (was) input.checked = false; was = false; });
    }
    return input;
  });
  box.append(title, list);
  return { box, title, inputs, value: () => (inputs.find((input) => input.checked) || { value: "" }).value };
}

function line(words, question, name) {
  const box = make("div", "", { class: "asked" });
  const title = make("label", question.text, { for: name });
  const input = question.type === "text"
    ? make("textarea", "", { id: name, rows: 3 })
    : make("input", "", { id: name, type: "text", inputmode: "decimal", autocomplete: "off", size: 8 });
  box.append(title, input);
  return { box, title, inputs: [input], value: () => (question.type === "text" ? input.value.trim() : input.value.trim().replace(",", ".")) };
}

// The error message for an answer; empty if the answer is valid.
function wrong(words, question, answer) {
  if (!answer) return question.optional ? "" : words.missing;
  if (question.type === "text" && [...answer].length > question.longest) return fill(words.long, question);
  if (question.type !== "number") return "";
  if (!new RegExp(`^(${question.pattern})$`).test(answer)) return words.number;
  const { minimum, maximum } = question;
  const low = minimum !== null, high = maximum !== null;
  if ((low && Number(answer) < minimum) || (high && Number(answer) > maximum)) {
    const range = fill(words[low && high ? "number_range" : low ? "minimum" : "maximum"], { minimum, maximum });
    return fill(words.out, { range });
  }
  return "";
}
