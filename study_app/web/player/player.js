// The pair player. Both clips are drawn from decoded pictures in the same animation callback, so neither can start or
// move before the other. It talks to the server itself (see api.py), so nothing on the page is rebuilt between trials.

const GAP_MS = 300; // grey between two plays, so that the jump back to the first frame is not taken for motion
const MEDIA_TRIES = 4;
const LARGEST = 560; // CSS pixels of a clip's side
const running = new WeakMap();

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// An answer other than 2xx, with its status.
class Answered extends Error {
  constructor(status) { super(`status ${status}`); this.status = status; }
}

class Player {
  constructor(root, data, finished) {
    this.root = root; this.data = data; this.finished = finished;
    this.loads = new Map();
    this.trial = null; this.open = false; this.busy = false; this.alive = true;
    this.canvases = [...root.querySelectorAll("canvas")];
    this.buttons = [...root.querySelectorAll("button")];
    this.status = root.querySelector(".status");
    root.querySelector(".question").textContent = data.question;
    this.canvases.forEach((canvas) => { canvas.width = canvas.height = data.size; });
    this.pens = this.canvases.map((canvas) => canvas.getContext("2d"));
    this.listen(window, "resize", () => this.fit());
    this.listen(document, "keydown", (event) => this.key(event));
    this.listen(window, "blur", () => this.left());
    this.listen(window, "focus", () => { this.away = false; });
    this.listen(document, "visibilitychange", () => this.visibility());
    this.buttons.forEach((button) => this.listen(button, "click", () => this.choose(button.dataset.side)));
    this.fit();
    this.resume();
  }

  listen(target, name, act) {
    this.undo = this.undo || [];
    target.addEventListener(name, act);
    this.undo.push(() => target.removeEventListener(name, act));
  }

  stop() { this.alive = false; cancelAnimationFrame(this.request); this.undo.forEach((undo) => undo()); }

  say(text) { this.status.textContent = text; }

  // Large, side by side, and a whole number of screen pixels for each of the clip's where that fits.
  fit() {
    const pair = this.root.querySelector(".pair");
    const gap = Math.min(24, window.innerWidth * 0.03);
    const room = Math.min((pair.clientWidth - gap) / 2, LARGEST, Math.max(120, window.innerHeight - 275));
    const dots = window.devicePixelRatio || 1;
    const whole = Math.floor((room * dots) / this.data.size);
    const side = whole >= 1 ? (whole * this.data.size) / dots : room;
    pair.style.setProperty("--gap", `${gap}px`);
    this.canvases.forEach((canvas) => { canvas.style.width = canvas.style.height = `${side}px`; });
  }

  async call(name, body) {
    const reply = await fetch(new URL(`trial/${name}`, document.baseURI), {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Rater": this.data.token },
      body: JSON.stringify(body || {}),
    });
    if (!reply.ok) throw new Answered(reply.status);
    return reply.json();
  }

  // Calls until the server has answered: what is not acknowledged is not saved.
  async insist(name, body, waiting) {
    for (let tries = 0; this.alive; tries += 1) {
      try {
        return await this.call(name, body);
      } catch (error) {
        if (error instanceof Answered && error.status < 500 && error.status !== 429) return null;
        if (tries > 0) this.say(waiting);
        await pause(Math.min(15000, 500 * 2 ** tries));
      }
    }
    return null;
  }

  async resume() {
    this.say("Loading…");
    const view = await this.insist("state", {}, "The connection is slow. Please keep this page open.");
    if (view) this.show(view);
    else if (this.alive) this.finished("refused");
  }

  load(trial) {
    if (!this.loads.has(trial)) this.loads.set(trial, this.fetchClips(trial));
    return this.loads.get(trial);
  }

  async fetchClips(trial) {
    let reason = "";
    for (let tries = 0; tries < MEDIA_TRIES && this.alive; tries += 1) {
      if (tries) await pause(400 * 2 ** tries);
      try {
        const reply = await fetch(new URL(`trial/clips/${trial}`, document.baseURI), {
          headers: { "X-Rater": this.data.token },
        });
        if (!reply.ok) throw new Answered(reply.status);
        const bytes = await reply.arrayBuffer();
        const slot = bytes.byteLength / 2;
        return { clips: await Promise.all([0, slot].map((start) => this.decode(bytes, start))) };
      } catch (error) {
        reason = String(error.message || error);
        if (error instanceof Answered && error.status === 410) return { gone: true };
      }
    }
    return { reason };
  }

  decode(bytes, start) {
    const length = new DataView(bytes).getUint32(start + 4, true) + 8; // the rest of the slot is padding
    return createImageBitmap(new Blob([bytes.slice(start, start + length)], { type: "image/webp" }));
  }

  async show(view) {
    if (!this.alive) return;
    if (view.state !== "rating") { this.blank(); this.say(""); this.finished(view.state); return; }
    this.trial = view.trials[0];
    this.open = this.busy = false;
    this.started = null;
    this.root.querySelector(".trial").setAttribute("aria-busy", "true");
    this.buttons.forEach((button) => { button.disabled = true; button.classList.remove("chosen"); });
    this.blank();
    const bar = this.root.querySelector(".bar");
    bar.setAttribute("aria-valuemax", view.total);
    bar.setAttribute("aria-valuenow", view.answered);
    bar.firstElementChild.style.width = `${(100 * view.answered) / view.total}%`;
    const counts = this.name(view.place);
    this.say("Loading…");
    const trial = this.trial;
    const loaded = await this.load(trial);
    if (!this.alive || trial !== this.trial) return;
    if (loaded.gone) { this.loads.delete(trial); await pause(300); this.resume(); return; }
    if (!loaded.clips) { this.skip(trial, loaded.reason); return; }
    this.loads.delete(trial);
    (this.clips || []).forEach((clip) => clip.close());
    this.clips = loaded.clips;
    this.first = null; this.replays = 0; this.losses = 0; this.away = false;
    this.say(`${counts}Watch both clips once.`);
    cancelAnimationFrame(this.request);
    this.request = requestAnimationFrame((now) => this.frame(now));
    view.trials.slice(1).forEach((next) => this.load(next));
  }

  // Says which pair this is; gives what to say when practice is over.
  name([kind, number, of]) {
    const words = { practice: "Practice", pair: "Pair" };
    this.root.querySelector(".place").textContent = `${words[kind]} ${number} of ${of}`;
    const over = this.kind === "practice" && kind === "pair";
    this.kind = kind;
    return over ? "Now it counts. " : "";
  }

  async skip(trial, reason) {
    this.say("These clips did not load. Here come the next ones.");
    this.loads.delete(trial);
    const view = await this.insist("skip", { trial, reason: `clips did not load: ${reason}` }, "Still trying…");
    if (view) this.show(view); else this.resume();
  }

  blank() {
    cancelAnimationFrame(this.request);
    this.pens.forEach((pen) => pen.clearRect(0, 0, this.data.size, this.data.size));
  }

  // One callback draws both clips.
  frame(now) {
    const { frames, rate, size } = this.data;
    if (this.started === null) { this.started = now; this.shown = -1; if (this.first === null) this.first = now; }
    const play = (1000 * frames) / rate;
    const since = now - this.started;
    const at = since % (play + GAP_MS);
    const index = Math.min(frames, Math.floor((at * rate) / 1000));
    if (index !== this.shown) {
      const columns = Math.ceil(Math.sqrt(frames));
      this.clips.forEach((clip, side) => {
        if (index === frames) this.pens[side].clearRect(0, 0, size, size);
        else {
          const x = (index % columns) * size, y = Math.floor(index / columns) * size;
          this.pens[side].drawImage(clip, x, y, size, size, 0, 0, size, size);
        }
      });
      this.shown = index;
    }
    this.replays = Math.floor(since / (play + GAP_MS));
    if (!this.open && since >= play) this.unlock();
    this.request = requestAnimationFrame((next) => this.frame(next));
  }

  unlock() {
    this.open = true;
    this.root.querySelector(".trial").setAttribute("aria-busy", "false");
    this.buttons.forEach((button) => { button.disabled = false; });
    const touch = window.matchMedia("(hover: none)").matches;
    this.say(touch ? "Choose with a button." : "Choose with a button, or with the ← and → keys.");
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
    const side = { ArrowLeft: "left", ArrowRight: "right" }[event.key];
    if (!side || event.repeat || event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    this.choose(side);
  }

  async choose(side) {
    if (!this.open || this.busy) return;
    this.busy = true;
    const response = performance.now() - this.first;
    this.buttons.forEach((button) => {
      button.disabled = true;
      button.classList.toggle("chosen", button.dataset.side === side);
    });
    this.say("Saving…");
    const vote = {
      trial: this.trial, chosen: side, response_ms: Math.max(0, Math.round(response)),
      replays: this.replays, focus_losses: this.losses,
    };
    const waiting = "Your answer is not saved yet. Please keep this page open: it is sent again by itself.";
    const view = await this.insist("vote", vote, waiting);
    if (view) this.show(view); else this.resume();
  }
}

export default function mount({ parentElement, data, setTriggerValue }) {
  const root = parentElement;
  const before = running.get(root);
  if (before && before.data.token === data.token) {
    before.finished = (state) => setTriggerValue("finished", state);
    return undefined;
  }
  if (before) before.stop();
  const player = new Player(root, data, (state) => setTriggerValue("finished", state));
  running.set(root, player);
  return () => { player.stop(); running.delete(root); };
}
