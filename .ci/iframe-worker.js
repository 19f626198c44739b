// Browsers do not allow workers on pages opened from disk. On such pages, the search runs in a hidden frame instead.
"use strict";
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.waiting = [];
      const frame = document.createElement("iframe");
      frame.hidden = true;
      frame.addEventListener("load", () => {
        this.inside = frame.contentWindow;
        if (!this.inside) return;
        this.inside.postMessage = (data) => this.dispatchEvent(new MessageEvent("message", {data}));
        const script = this.inside.document.createElement("script");
        script.src = new URL(url, location.href).href;
        script.addEventListener("load", () => {
          this.ready = true;
          this.waiting.splice(0).forEach((data) => this.postMessage(data));
        });
        this.inside.document.head.append(script);
      }, {once: true});
      frame.srcdoc = "<!doctype html><title>search</title>";
      document.documentElement.append(frame);
    }

    postMessage(data) {
      if (this.ready) this.inside.dispatchEvent(new MessageEvent("message", {data}));
      else this.waiting.push(data);
    }

    terminate() {}
  };
}
