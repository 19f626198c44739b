// Measures the size of a pixel on this screen. The rater makes a frame as wide as a bank card, which has the same size
// everywhere (ISO/IEC 7810 ID-1). They also enter their distance from the screen, unless the study states it. A phone
// is narrower than a card, so raters hold the card upright there.

const LONG_MM = 85.6, SHORT_MM = 53.98;
const NARROW = 500; // CSS pixels; on narrower pages, the card is upright
const LEAST = 100, MOST = 900; // limits of the frame's width, in CSS pixels
const USUAL = { lying: 323, upright: 290 }; // initial value of the slider: about right on a desk, and in a hand
const DISTANCE = { least: 10, most: 300 }; // centimetres

// Creates the parts of the page, and `read`, which returns { dots_per_mm, distance_cm }, or null if the distance makes
// no sense. `make` builds elements. `stated` is the distance that the study asks for, or null.
export function measuring(make, words, stated, fill) {
  const frame = make("div", "", { class: "card", role: "img", "aria-label": words.frame });
  const room = document.documentElement.clientWidth, upright = room < NARROW;
  const [width_mm, height_mm] = upright ? [SHORT_MM, LONG_MM] : [LONG_MM, SHORT_MM];
  const widest = Math.min(MOST, room - 32);
  const slider = make("input", "", {
    type: "range", min: Math.min(LEAST, widest), max: widest, step: "any", value: Math.min(upright ? USUAL.upright : USUAL.lying, widest), id: "width",
  });
  const draw = () => {
    frame.style.width = `${slider.value}px`;
    frame.style.height = `${(slider.value * height_mm) / width_mm}px`;
  };
  slider.addEventListener("input", draw);
  slider.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!step) return;
    event.preventDefault();
    slider.value = Number(slider.value) + step;
    draw();
  });
  draw();
  const parts = [make("p", upright ? `${words.text} ${words.upright}` : words.text), frame, make("label", words.width, { for: "width" }), slider];
  let far = null;
  if (stated) parts.push(make("p", fill(words.stated, { distance: stated })));
  else {
    far = make("input", "", { type: "number", id: "far", min: DISTANCE.least, max: DISTANCE.most, inputmode: "decimal" });
    parts.push(make("label", words.distance, { for: "far" }), far);
  }
  const read = () => {
    const distance_cm = stated || Number(far.value);
    if (!(distance_cm >= DISTANCE.least && distance_cm <= DISTANCE.most) && !stated) return null;
    // in the screen's own pixels, so that zooming does not change it
    return { dots_per_mm: (Number(slider.value) * (window.devicePixelRatio || 1)) / width_mm, distance_cm };
  };
  return { parts, read };
}
