// Handles around the model's picture: what they are dragged to stands in the form's number fields,
// and what is typed there moves them. Gradio runs this with `element`, `props` and `watch`.

const root = element.querySelector(".handles");
const $ = (name) => root.querySelector(`[data-part="${name}"]`);
const stage = $("stage"), whole = $("whole"), picture = $("picture"), said = $("said");
const SIDES = ["top", "right", "bottom", "left"];
const MOST = 2; // times the picture's side that can be dragged to, on each side
let about = null, told = null, drag = null, scale = 1, origin = [0, 0];

const field = (name) => document.querySelector(`#${about.prefix}-${name} input`);
const fields = () => (about.kind === "extend" ? SIDES.map((side) => field(`extend-${side}`)) : ["h", "w"].map((side) => field(`size-${side}`)));
const number = (input) => Math.max(0, Math.round(Number(input && input.value) || 0));

// Pixels that are added at each side; less than 0 where a size is smaller than the picture.
function margins() {
  const values = fields().map(number);
  if (about.kind === "extend") return values;
  const [height, width] = [values[0] || about.height, values[1] || about.width];
  return [0, width - about.width, height - about.height, 0];
}

function put(input, value) {
  if (!input || input.value === String(value)) return;
  Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(input, String(value));
  for (const kind of ["input", "change"]) input.dispatchEvent(new Event(kind, { bubbles: true }));
}

function set(side, value) {
  const length = side === "top" || side === "bottom" ? about.height : about.width;
  const least = about.kind === "extend" ? 0 : 8 - length;
  value = Math.round(Math.min(MOST * length, Math.max(least, value)));
  if (about.kind === "extend") {
    put(field(`extend-${side}`), value);
  } else {
    const [, right, bottom] = margins();
    put(field("size-h"), about.height + (side === "bottom" ? value : bottom));
    put(field("size-w"), about.width + (side === "right" ? value : right));
  }
  show();
}

function fit() {
  const [top, right, bottom, left] = margins().map((one) => Math.max(0, one));
  const box = stage.getBoundingClientRect(), room = 56;
  const width = about.width + left + right, height = about.height + top + bottom;
  scale = Math.min((box.width - room) / width, (box.height - room) / height);
  origin = [(box.width - width * scale) / 2 + left * scale, (box.height - height * scale) / 2 + top * scale];
}

function lay(part, left, top, width, height) {
  Object.assign(part.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
}

function show() {
  if (!about || !stage.offsetParent) return;
  if (!drag) fit();
  const [top, right, bottom, left] = margins(), [x, y] = origin;
  const width = about.width * scale, height = about.height * scale;
  const box = [x - left * scale, y - top * scale, width + (left + right) * scale, height + (top + bottom) * scale];
  if (about.kind === "extend") lay(picture, x, y, width, height);
  else lay(picture, ...box);
  lay(whole, ...box);
  const middle = [box[0] + box[2] / 2, box[1] + box[3] / 2];
  const places = { top: [middle[0], box[1]], right: [box[0] + box[2], middle[1]], bottom: [middle[0], box[1] + box[3]], left: [box[0], middle[1]] };
  const now = { top, right, bottom, left };
  for (const handle of root.querySelectorAll(".handle")) {
    const side = handle.dataset.side, sized = about.kind !== "extend";
    handle.hidden = sized && (side === "top" || side === "left");
    [handle.style.left, handle.style.top] = places[side].map((one) => `${one}px`);
    const value = sized ? (side === "right" ? about.width + right : about.height + bottom) : now[side];
    handle.setAttribute("aria-label", root.dataset[side]);
    handle.setAttribute("aria-valuenow", value);
    handle.setAttribute("aria-valuetext", `${value} px`);
  }
  said.textContent = `${root.dataset.size} ${about.width + left + right} × ${about.height + top + bottom}`;
}

for (const handle of root.querySelectorAll(".handle")) {
  const side = handle.dataset.side, across = side === "left" || side === "right";
  const outwards = side === "left" || side === "top" ? -1 : 1;
  handle.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    handle.focus();
    handle.setPointerCapture(event.pointerId);
    drag = { from: across ? event.clientX : event.clientY, value: margins()[SIDES.indexOf(side)] };
  });
  handle.addEventListener("pointermove", (event) => {
    if (!drag) return;
    set(side, drag.value + (outwards * ((across ? event.clientX : event.clientY) - drag.from)) / scale);
  });
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
    handle.addEventListener(name, () => { if (drag) { drag = null; show(); } });
  }
  handle.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [true, -1], ArrowRight: [true, 1], ArrowUp: [false, -1], ArrowDown: [false, 1] };
    const step = steps[event.key];
    if (!step || step[0] !== across) return;
    event.preventDefault();
    set(side, margins()[SIDES.indexOf(side)] + outwards * step[1] * (event.shiftKey ? 10 : 1));
  });
}

function heed() {
  const value = props.value || {};
  if (value.token === undefined || value.token === told) return;
  told = value.token;
  about = value.kind ? value : null;
  root.hidden = !about;
  if (!about) return;
  if (value.picture) picture.src = value.picture.url;
  requestAnimationFrame(show);
}

document.addEventListener("input", (event) => {
  if (about && !drag && event.target.closest && event.target.closest(`[id^="${about.prefix}-extend-"], [id^="${about.prefix}-size-"]`)) show();
});
new ResizeObserver(() => show()).observe(stage);
watch("value", heed);
heed();
