// Calls to the server (see rater_api.py). The server acknowledges an answer only after saving it, so the page repeats a
// call until it receives a reply.

const CLIP_TRIES = 4;
const FAULTS = 5; // consecutive server faults after which the page gives up; an unreachable server does not count
const LONGEST_PAUSE = 15000;
const LATER = [408, 429]; // the call was too slow, or one of too many: the same call can succeed later

export const pause = (ms) => new Promise((done) => setTimeout(done, ms));

// Resolves when the network returns, which can end a pause early.
const online = () => new Promise((done) => window.addEventListener("online", done, { once: true }));

// A reply other than 2xx, with its status and its JSON body, if that was read.
export class Refused extends Error {
  constructor(status, said = {}) {
    super(said.message || `status ${status}`);
    this.status = status;
    this.said = said;
  }
}

export class Server {
  constructor() { this.token = ""; this.loads = new Map(); }

  // Sets the number and the size of the clips in a trial.
  expect({ clips, frames, width, size }) {
    const columns = Math.ceil(Math.sqrt(frames));
    this.shown = clips;
    this.sheet = { width: columns * width, height: Math.ceil(frames / columns) * size };
  }

  async call(name, body) {
    const reply = await fetch(new URL(`trial/${name}`, document.baseURI), {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Rater": this.token },
      body: JSON.stringify(body || {}, (_, value) => (value && value.toWellFormed ? value.toWellFormed() : value)),
    });
    if (reply.ok) return reply.json();
    const said = reply.status < 500 ? await reply.json() : {};
    throw new Refused(reply.status, said);
  }

  // Repeats a call until the server answers, and calls `waiting` while it does not. Only a refusal or repeated server
  // faults end the attempts.
  async insist(name, body, waiting) {
    let faults = 0;
    for (let tries = 0; ; tries += 1) {
      try {
        return await this.call(name, body);
      } catch (error) {
        if (error instanceof Refused && error.status < 500 && !LATER.includes(error.status)) throw error;
        faults = error.status === 500 ? faults + 1 : 0;
        if (faults === FAULTS) { error.call = name; throw error; }
        if (error.status === 429 && error.said.wait) { await pause(1000 * error.said.wait); continue; }
        if (tries > 0 || error.status >= 500) waiting();
        await Promise.race([pause(Math.min(LONGEST_PAUSE, 500 * 2 ** tries)), online()]);
      }
    }
  }

  // The clips of a trial, fetched once: { sheets }, { gone: true }, or { reason } if they do not load.
  clips(trial) {
    if (!this.loads.has(trial)) {
      const load = this.fetchClips(trial);
      this.loads.set(trial, load);
      load.then(({ sheets }) => { if (!sheets) this.forget(trial); });
    }
    return this.loads.get(trial);
  }

  // The clips of the trial that is shown now. If they did not load ahead of it, they are fetched again.
  async clipsNow(trial) {
    const ahead = this.loads.has(trial);
    const loaded = await this.clips(trial);
    return ahead && loaded.reason ? this.clips(trial) : loaded;
  }

  forget(trial) { this.loads.delete(trial); }

  async fetchClips(trial) {
    let reason = "";
    for (let tries = 0; tries < CLIP_TRIES; tries += 1) {
      if (tries) await pause(400 * 2 ** tries);
      try {
        const reply = await fetch(new URL(`trial/clips/${trial}`, document.baseURI), {
          headers: { "X-Rater": this.token },
        });
        if (!reply.ok) throw new Refused(reply.status);
        const bytes = await reply.arrayBuffer();
        return { sheets: await sheets(bytes, this.shown, this.sheet) };
      } catch (error) {
        reason = String(error.message || error);
        if (error instanceof Refused && error.status === 410) return { gone: true };
      }
    }
    return { reason };
  }
}

const decode = (bytes) => createImageBitmap(new Blob([bytes], { type: "image/webp" }));

// Finds each clip's frames: the picture that contains them, row by row, and the pixel where they begin. Two clips share
// one picture, the second one in its lower right corner. If that would have been too long, each has a picture of
// its own, one after the other.
async function sheets(bytes, clips, { width, height }) {
  const picture = await decode(bytes);
  const x = picture.width - width, y = picture.height - height;
  if (clips === 1 || x || y) return [{ picture, x: 0, y: 0 }, { picture, x, y }].slice(0, clips);
  return [{ picture, x, y }, { picture: await decode(bytes.slice(bytes.byteLength / 2)), x, y }];
}
