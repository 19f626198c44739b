// The contents of a trial's page. Nothing on it is rebuilt between trials, so the focus stays in place.

import { fit, LEAST } from "./clip_layout.js";

const PARTS = ["head", "bar", "place", "told", "number", "question", "pair", "go", "more", "small", "status", "halt"];
// The text, key and mark of each answer: with clips side by side, and with one above the other.
const BESIDE = { left: ["left", "ArrowLeft", "←"], right: ["right", "ArrowRight", "→"], tie: ["tie", "ArrowDown", "↓"] };
const STACKED = { left: ["upper", "ArrowUp", "↑"], right: ["lower", "ArrowDown", "↓"], tie: ["tie", "ArrowRight", "→"] };

// A text with its `{name}` placeholders filled in.
export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);

export class TrialPage {
  constructor(root, study, texts) {
    Object.assign(this, { root, study, texts });
    PARTS.forEach((name) => { this[name] = root.querySelector(`.${name}`); });
    this.adapt();
    this.canvases = [...root.querySelectorAll("canvas")];
    this.buttons = [...root.querySelectorAll("button.choice")];
    this.bar.setAttribute("aria-label", texts.progress);
    this.small.querySelector("h1").textContent = texts.small;
    this.small.querySelector("p").textContent = texts.enlarge;
    this.place.textContent = "\u00a0"; // reserves the height of the line, so that clips never change their size
    this.showQuestion(1);
    this.enable(false);
  }

  // Adapts the template, which has two clips and an answer for each: adds the study's other answers, and removes
  // answers and clips that the study does not use.
  adapt() {
    const { root, more } = this;
    const { answers, clips } = this.study;
    root.querySelector(".pair").dataset.clips = clips;
    const buttons = [...root.querySelectorAll("button.choice")];
    const present = buttons.map((button) => button.dataset.side);
    buttons.filter((button) => !answers.includes(button.dataset.side)).forEach((button) => button.remove());
    answers.filter((answer) => !present.includes(answer)).forEach((answer) => {
      const button = document.createElement("button");
      Object.assign(button, { type: "button", className: "choice" });
      button.dataset.side = answer;
      more.prepend(button); // the best grade first
    });
    more.classList.toggle("scale", clips === 1);
    [...root.querySelectorAll("canvas")].slice(clips).forEach((canvas) => canvas.remove());
  }

  // Makes the clips as large as the window allows. Returns whether they are too small to judge; if so, hides them.
  fit() {
    this.hide(false);
    this.reserveQuestions();
    Object.assign(this, fit(this.root, this.study)); // layout, side
    this.label();
    const small = this.side < LEAST;
    this.hide(small);
    return small;
  }

  hide(small) {
    this.small.hidden = !small;
    [this.head, this.pair, this.status].forEach((part) => { part.hidden = small; });
    this.more.hidden = small || !this.more.childElementCount;
  }

  // Reserves the height of the longest of several questions, so that clips stay where they are.
  reserveQuestions() {
    const { questions } = this.study;
    const line = this.question;
    if (questions.length < 2) return;
    const shown = line.textContent;
    line.style.minHeight = "";
    const heights = questions.map((question) => { line.textContent = question; return line.offsetHeight; });
    line.style.minHeight = `${Math.max(...heights)}px`;
    line.textContent = shown;
  }

  // Sets the names of clips and answers, and the keys of answers, which depend on the layout.
  label() {
    const places = this.layout === "stacked" ? STACKED : BESIDE;
    const [one, other] = Object.values(places).map(([name]) => this.texts[`${name}_clip`]);
    const names = this.canvases.length > 1 ? [one, other] : [this.texts.clip];
    this.canvases.forEach((canvas, at) => canvas.setAttribute("aria-label", names[at]));
    this.keys = {};
    this.buttons.forEach((button) => {
      const answer = button.dataset.side;
      const [name, key, mark] = places[answer] || ["", answer, answer]; // a grade is its own key
      const word = name ? this.texts[name] : this.texts.grades[answer];
      this.keys[key] = answer;
      button.replaceChildren(span("mark", mark), span("word", word));
      button.setAttribute("aria-label", name ? word : `${mark} ${word}`);
      button.setAttribute("aria-keyshortcuts", key);
    });
  }

  // Shows which trial this is.
  showProgress(view) {
    const [kind, number, of] = view.place;
    this.progress(view);
    this.place.textContent = fill(this.texts[kind], { number, of });
  }

  progress(view) {
    this.bar.setAttribute("aria-valuemax", view.total);
    this.bar.setAttribute("aria-valuenow", view.answered);
    this.bar.firstElementChild.style.width = `${(100 * view.answered) / view.total}%`;
  }

  // Shows the feedback on a practice trial and marks the altered clip; `altered` is the clip's index, or -1 for none.
  review(text, altered) {
    this.told.textContent = text;
    this.told.hidden = !text;
    this.canvases.forEach((canvas, at) => canvas.classList.toggle("altered", at === altered));
    if (text) this.say("");
  }

  // Shows a button in place of the answers, such as the one to the next pair. If `text` is empty, shows the answers.
  offer(text, focus = false) {
    const active = document.activeElement;
    const back = active === this.go ? this.chosen : null;
    if (this.buttons.includes(active)) this.chosen = active; // gets the focus back with the next pair
    else if (active !== this.go) this.chosen = null;
    if (text) this.go.textContent = text;
    this.root.classList.toggle("offers", Boolean(text));
    this.go.hidden = !text;
    if (text && focus) this.go.focus({ preventScroll: true });
    else if (!text && back) back.focus({ preventScroll: true });
  }

  // Shows a question of the trial, numbered from 1, with no answer chosen.
  showQuestion(number) {
    const { questions } = this.study;
    this.question.textContent = questions[number - 1];
    this.number.hidden = questions.length < 2;
    this.number.textContent = fill(this.texts.question, { number, of: questions.length });
    this.highlight(null);
  }

  highlight(answer) {
    this.buttons.forEach((button) => button.classList.toggle("chosen", button.dataset.side === answer));
  }

  enable(open) { this.buttons.forEach((button) => button.setAttribute("aria-disabled", !open)); }

  busy(busy) { this.root.setAttribute("aria-busy", busy); }

  labelPause(paused) { this.halt.textContent = paused ? this.texts.play : this.texts.pause; }

  say(text) { this.status.textContent = text; }

  sayQuestion() { this.say(`${this.number.textContent}: ${this.question.textContent}`); }

  invite() {
    const touch = window.matchMedia("(hover: none)").matches;
    this.say(this.texts[touch ? "choose_touch" : `choose_${this.layout === "stacked" ? "stacked" : "beside"}`]);
  }

  // How the clips are displayed.
  screen() {
    return {
      clip_px: this.side, pixel_ratio: window.devicePixelRatio || 1, width: window.innerWidth,
      height: window.innerHeight, layout: this.layout,
      pointer: window.matchMedia("(pointer: coarse)").matches ? "coarse" : "fine",
    };
  }
}

function span(name, text) {
  const element = document.createElement("span");
  element.className = name;
  element.setAttribute("aria-hidden", "true");
  element.textContent = text;
  return element;
}
