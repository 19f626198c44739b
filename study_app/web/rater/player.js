// The player of a pair, or of one clip. Both are drawn from decoded pictures in the same animation callback, so neither
// can start or move before the other. Nothing on the page is rebuilt between trials, so that what has the focus keeps it.

import { fit, LEAST } from "./clip_layout.js";
import { Refused, pause } from "./api_client.js";

const GAP_MS = 300; // veiled between two plays, so that the jump back to the first frame is not taken for motion
const VEIL = "rgba(169, 169, 169, 0.6)";
const SEEN = 0.5; // share of frames that have to be drawn for a play to count as one
const PLAYS = 3; // after so many plays a choice can be made however slow the browser is
const BETWEEN_MS = 400; // after an answer the next question opens; a double click is one answer
// What each answer is called, its key and its mark: with clips beside each other, and one above the other.
const BESIDE = { left: ["left", "ArrowLeft", "←"], right: ["right", "ArrowRight", "→"], tie: ["tie", "ArrowDown", "↓"] };
const STACKED = { left: ["upper", "ArrowUp", "↑"], right: ["lower", "ArrowDown", "↓"], tie: ["tie", "ArrowRight", "→"] };

// Text with `{name}` filled in.
export const fill = (text, values) => text.replace(/\{(\w+)\}/g, (all, name) => values[name] ?? all);

export class Player {
  // `finished` is called with the state in which the session has ended.
  constructor({ root, server, study, texts, finished, card }) {
    Object.assign(this, { root, server, study, texts, finished, card });
    this.calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches; // nothing moves before it is asked to
    this.halted = false; this.waiting = null;
    this.trial = null; this.open = false; this.busy = false; this.alive = true; this.small = false;
    this.find = (selector) => root.querySelector(selector);
    this.furnish();
    this.canvases = [...root.querySelectorAll("canvas")];
    this.buttons = [...root.querySelectorAll("button.choice")];
    this.ask();
    this.find(".bar").setAttribute("aria-label", texts.progress);
    this.find(".small h1").textContent = texts.small;
    this.find(".small p").textContent = texts.enlarge;
    this.canvases.forEach((canvas) => { canvas.width = canvas.height = study.size; });
    this.pens = this.canvases.map((canvas) => canvas.getContext("2d"));
    this.undo = [];
    this.listen(window, "resize", () => this.fit());
    this.listen(document, "keydown", (event) => this.key(event));
    this.listen(window, "blur", () => this.left());
    this.listen(window, "focus", () => { this.away = false; });
    this.listen(document, "visibilitychange", () => this.visibility());
    this.buttons.forEach((button) => this.listen(button, "click", () => this.choose(button.dataset.side)));
    this.find(".place").textContent = "\u00a0"; // its line is there from the beginning: clips never change their size
    this.fit();
  }

  listen(target, name, act) {
    target.addEventListener(name, act);
    this.undo.push(() => target.removeEventListener(name, act));
  }

  stop() { this.alive = false; cancelAnimationFrame(this.request); this.undo.forEach((undo) => undo()); }

  say(text) { this.find(".status").textContent = text; }

  tell(text) { const line = this.find(".told"); line.textContent = text; line.hidden = !text; }

  // Clips as large as the window allows, and the names that their places then have. Nobody judges clips that are too
  // small to see: the pair waits, and plays from its beginning when there is room.
  fit() {
    const was = this.small;
    this.hide(false);
    this.reserve();
    const { layout, side } = fit(this.root, this.study.size);
    this.layout = layout; this.side = side; this.small = side < LEAST;
    this.hide(this.small);
    if (was && !this.small) this.started = null;
    const places = layout === "stacked" ? STACKED : BESIDE;
    this.canvases.forEach((canvas, at) => {
      const name = this.canvases.length > 1 ? `${Object.values(places)[at][0]}_clip` : "clip";
      canvas.setAttribute("aria-label", this.texts[name]);
    });
    this.keys = {};
    this.buttons.forEach((button) => {
      const answer = button.dataset.side;
      const [name, key, mark] = places[answer] || ["", answer, answer]; // a grade is its own key
      const word = name ? this.texts[name] : this.texts.grades[answer];
      this.keys[key] = answer;
      button.replaceChildren(part("mark", mark), part("word", word));
      button.setAttribute("aria-label", name ? word : `${mark} ${word}`);
      button.setAttribute("aria-keyshortcuts", key);
    });
    if (this.open && !this.busy) this.invite();
  }

  // The page is made for two clips and a choice of one: whatever else a study has is put in or taken out.
  furnish() {
    const { answers, clips } = this.study;
    const more = this.find(".more");
    const there = [...this.root.querySelectorAll("button.choice")];
    there.filter((button) => !answers.includes(button.dataset.side)).forEach((button) => button.remove());
    const have = there.map((button) => button.dataset.side);
    answers.filter((answer) => !have.includes(answer)).reverse().forEach((answer) => { // the best grade first
      const button = document.createElement("button");
      Object.assign(button, { type: "button", className: "choice" });
      Object.assign(button.dataset, { side: answer });
      button.setAttribute("aria-disabled", "true");
      more.append(button);
    });
    more.hidden = !more.childElementCount;
    more.classList.toggle("scale", clips === 1);
    [...this.root.querySelectorAll("canvas")].slice(clips).forEach((canvas) => canvas.remove());
  }

  // The question that is to be answered now, of those that a trial has.
  ask() {
    const { questions } = this.study;
    const number = (this.given || []).length + 1;
    this.find(".question").textContent = questions[number - 1];
    const line = this.find(".number");
    line.hidden = questions.length < 2;
    line.textContent = fill(this.texts.question, { number, of: questions.length });
  }

  // Room for the longest of several questions, so that clips stay where they are.
  reserve() {
    const { questions } = this.study;
    if (questions.length < 2) return;
    const line = this.find(".question");
    line.style.minHeight = "";
    const heights = questions.map((question) => { line.textContent = question; return line.offsetHeight; });
    line.style.minHeight = `${Math.max(...heights)}px`;
    this.ask();
  }

  hide(small) {
    this.find(".small").hidden = !small;
    this.find(".more").hidden = small || !this.find(".more").childElementCount;
    [".head", ".pair", ".status"].forEach((name) => { this.find(name).hidden = small; });
  }

  async resume() {
    this.say(this.texts.loading);
    try {
      this.show(await this.server.insist("state", {}, () => this.say(this.texts.slow)));
    } catch (error) {
      if (this.alive) this.finished("refused", error);
    }
  }

  async show(view) {
    if (!this.alive) return;
    if (view.state !== "rating") { this.blank(); this.say(""); this.finished(view.state, view); return; }
    this.trial = view.trials[0];
    this.open = this.busy = false;
    this.given = [];
    this.ask();
    this.started = null; this.counted = false;
    this.root.setAttribute("aria-busy", "true");
    this.buttons.forEach((button) => button.classList.remove("chosen"));
    this.lock();
    this.blank();
    this.place(view);
    this.say(this.texts.loading);
    const trial = this.trial;
    const loaded = await this.server.clips(trial);
    if (!this.alive || trial !== this.trial) return;
    if (loaded.gone) { this.server.forget(trial); await pause(300); this.resume(); return; }
    if (!loaded.clips) { this.skip(trial, loaded.reason); return; }
    this.server.forget(trial);
    (this.clips || []).forEach((clip) => clip.close());
    this.clips = loaded.clips;
    this.first = null; this.replays = 0; this.plays = 0; this.losses = 0; this.away = false; this.dropped = 0;
    this.pauses = 0;
    this.halt(this.calm);
    this.say(this.calm ? this.texts.ready : this.texts.watch);
    cancelAnimationFrame(this.request);
    this.request = requestAnimationFrame((now) => this.frame(now));
    view.trials.slice(1).forEach((next) => this.server.clips(next));
  }

  // Which pair this is, what was right of the one before, and when practice is over.
  place(view) {
    const [kind, number, of] = view.place;
    const bar = this.find(".bar");
    bar.setAttribute("aria-valuemax", view.total);
    bar.setAttribute("aria-valuenow", view.answered);
    bar.firstElementChild.style.width = `${(100 * view.answered) / view.total}%`;
    this.find(".place").textContent = fill(this.texts[kind], { number, of });
    const counts = this.kind === "practice" && kind === "pair" ? this.texts.counts : "";
    const seen = view.feedback ? this.texts[view.feedback] : "";
    this.tell([seen, counts].filter(Boolean).join(" "));
    this.kind = kind;
  }

  async skip(trial, reason) {
    this.say(this.texts.skipped);
    this.server.forget(trial);
    this.next("skip", { trial, reason: `clips did not load: ${reason}` }, this.texts.trying);
  }

  // Sends what happened to a trial until that is acknowledged, and shows what comes then.
  async next(name, body, waiting) {
    let view = null;
    try {
      view = await this.server.insist(name, body, () => this.say(waiting));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
    }
    if (view) this.show(view); else this.resume(); // refused: it went to somebody else meanwhile
  }

  blank() {
    cancelAnimationFrame(this.request);
    this.pens.forEach((pen) => pen.clearRect(0, 0, this.study.size, this.study.size));
  }

  // One callback draws both clips.
  frame(now) {
    const { frames, rate } = this.study;
    this.request = requestAnimationFrame((next) => this.frame(next));
    if (this.small) return;
    if (this.started === null) this.begin(now);
    if (this.halted) this.wait(now);
    const play = (1000 * frames) / rate;
    const since = now - this.started;
    const turn = Math.floor(since / (play + GAP_MS));
    const index = Math.min(frames, Math.floor(((since % (play + GAP_MS)) * rate) / 1000));
    if (turn !== this.turn) this.ended(turn);
    if (index !== this.shown) this.draw(index);
  }

  begin(now) {
    this.started = now; this.shown = -1; this.turn = 0; this.drawn = 0;
    if (this.first === null) this.first = now;
  }

  // Clips that are halted stand still, and so does the time that a choice takes.
  wait(now) {
    const since = this.waiting === null ? 0 : now - this.waiting;
    this.started += since;
    this.first += since;
    this.waiting = now;
  }

  halt(halted) {
    this.halted = halted;
    this.waiting = null;
    const button = this.find(".halt");
    if (button) button.textContent = halted ? this.texts.play : this.texts.pause;
  }

  toggle() {
    if (this.started === null || this.busy) return;
    this.halt(!this.halted);
    if (this.halted) this.pauses += 1;
    else if (!this.open) this.say(this.texts.watch);
  }

  draw(index) {
    const { frames, size } = this.study;
    const columns = Math.ceil(Math.sqrt(frames));
    this.clips.forEach((clip, side) => {
      const pen = this.pens[side];
      if (index === frames) {
        pen.fillStyle = VEIL;
        pen.fillRect(0, 0, size, size);
      } else {
        const x = (index % columns) * size, y = Math.floor(index / columns) * size;
        pen.drawImage(clip, x, y, size, size, 0, 0, size, size);
      }
    });
    if (index < frames) this.drawn += 1;
    this.shown = index;
  }

  // A play is over and the next begins. The buttons open when one has been seen, and not while the clips are veiled.
  ended(turn) {
    this.plays += 1;
    const seen = this.drawn >= SEEN * this.study.frames;
    if (this.open) this.replays += 1;
    else if (seen || this.plays >= PLAYS) {
      this.dropped = this.study.frames - Math.min(this.drawn, this.study.frames);
      this.unlock();
    }
    this.turn = turn; this.drawn = 0; this.shown = -1;
  }

  lock() { this.buttons.forEach((button) => button.setAttribute("aria-disabled", "true")); }

  unlock() {
    this.open = true;
    this.tell("");
    this.root.setAttribute("aria-busy", "false");
    this.buttons.forEach((button) => button.setAttribute("aria-disabled", "false"));
    this.invite();
  }

  invite() {
    const touch = window.matchMedia("(hover: none)").matches;
    this.say(this.texts[touch ? "choose_touch" : `choose_${this.layout === "stacked" ? "stacked" : "beside"}`]);
  }

  left() {
    if (this.away || this.started === null || this.busy) return;
    this.away = true;
    this.losses += 1;
  }

  visibility() {
    if (document.hidden) { this.left(); return; }
    this.away = false;
    if (!this.open) this.started = null; // the first play was not seen: play it again
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const active = document.activeElement;
    const choosing = this.buttons.includes(active);
    if (event.repeat && choosing && ["Enter", " "].includes(event.key)) event.preventDefault(); // held down: no answer
    const elsewhere = active && !choosing && active.matches("button, a, input, select, textarea, summary");
    const side = this.keys[event.key];
    if (!side || elsewhere) return;
    event.preventDefault();
    if (!event.repeat) this.choose(side);
  }

  async choose(side) {
    if (!this.open || this.busy || this.small) return;
    this.busy = true;
    this.given.push({ chosen: side, response_ms: Math.max(0, Math.round(performance.now() - this.first)) });
    this.lock();
    this.buttons.forEach((button) => button.classList.toggle("chosen", button.dataset.side === side));
    if (this.given.length < this.study.questions.length) { this.further(); return; }
    this.say(this.texts.saving);
    const [first, ...further] = this.given;
    const vote = {
      trial: this.trial, ...first, further, replays: this.replays, focus_losses: this.losses, screen: this.screen(),
    };
    this.next("vote", vote, this.texts.unsaved);
  }

  // The next question about the same clips, which play on.
  async further() {
    const trial = this.trial;
    await pause(BETWEEN_MS);
    if (!this.alive || trial !== this.trial) return;
    this.buttons.forEach((button) => button.classList.remove("chosen"));
    this.ask();
    this.busy = false;
    this.buttons.forEach((button) => button.setAttribute("aria-disabled", "false"));
    this.say(`${this.find(".number").textContent}: ${this.find(".question").textContent}`);
  }

  // How the clips were seen.
  screen() {
    return {
      clip_px: this.side, pixel_ratio: window.devicePixelRatio || 1, width: window.innerWidth,
      height: window.innerHeight, layout: this.layout, dropped: this.dropped,
      pointer: window.matchMedia("(pointer: coarse)").matches ? "coarse" : "fine",
      pauses: this.pauses, ...this.card,
    };
  }
}

function part(name, text) {
  const span = document.createElement("span");
  span.className = name;
  span.setAttribute("aria-hidden", "true");
  span.textContent = text;
  return span;
}
