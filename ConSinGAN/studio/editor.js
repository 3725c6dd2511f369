// The picture editor of the tab Paint: a picture, colours painted on it, an object placed on it, and
// a mask. All have exactly the picture's pixels, whatever the screen's; a mask's pixel is in or out.
// Gradio runs this with `element`, `props`, `watch` and `upload`; texts and ids are in the page.

const $ = (name) => element.querySelector(`[data-part="${name}"]`);
const root = element.querySelector(".editor");
const view = $("view"), info = $("info"), empty = $("empty");
const MOST_UNDO = 2 ** 27; // bytes
const SOLID = 128; // alpha from which something counts as there
let width = 0, height = 0, base = null, object = null, place = { x: 0, y: 0, scale: 1 };
let mask = null, undo = [], last = null, tool = "brush", drag = null, cursor = null, told = null;
const paint = document.createElement("canvas"), above = document.createElement("canvas");
const union = document.createElement("canvas");

const context = (canvas) => canvas.getContext("2d", { willReadFrequently: true });
const target = () => (element.querySelector('input[name="target"]:checked') || {}).value || "mask";
const radius = () => Number($("size").value) / 2;

function begin(picture) {
  base = picture;
  [width, height] = [picture.naturalWidth || picture.width, picture.naturalHeight || picture.height];
  for (const canvas of [view, paint, above, union]) [canvas.width, canvas.height] = [width, height];
  mask = new Uint8Array(width * height);
  undo = [];
  object = null;
  const most = Math.max(4, Math.round(Math.max(width, height) / 3));
  $("size").max = most;
  $("size").value = Math.max(2, Math.round(Math.max(width, height) / 14));
  const ratio = width / height; // small pictures are enlarged, to be painted on
  view.style.width = `min(100%, calc(66vh * ${ratio}), ${Math.max(width, 640)}px)`;
  view.style.aspectRatio = String(ratio);
  view.classList.toggle("small", width < 200);
  empty.hidden = true;
  view.hidden = false;
  for (const part of element.querySelectorAll("[data-needs]")) part.disabled = false;
  showObject();
  draw();
}

function load(file, then) {
  const url = file instanceof Blob ? URL.createObjectURL(file) : file;
  const picture = new Image();
  picture.onload = () => then(picture);
  picture.onerror = () => { info.textContent = root.dataset.unreadable; };
  picture.src = url;
}

function receive(file) {
  load(file, (picture) => (base ? place_object(picture) : begin(picture)));
}

function place_object(picture) {
  if (!base) { begin(picture); return; }
  remember();
  object = picture;
  const fit = Math.min(1, (width / 3) / picture.naturalWidth, (height / 3) / picture.naturalHeight);
  place = { scale: fit, x: (width - picture.naturalWidth * fit) / 2, y: (height - picture.naturalHeight * fit) / 2 };
  place.x = Math.round(place.x);
  place.y = Math.round(place.y);
  choose("move");
  showObject();
  draw();
}

function showObject() {
  $("object").hidden = !object;
  if (!object) return;
  $("x").value = Math.round(place.x);
  $("y").value = Math.round(place.y);
  $("scale").value = Math.round(place.scale * 1000) / 10;
}

// Layers ------------------------------------------------------------------------------------------

function drawAbove() {
  const to = context(above);
  to.clearRect(0, 0, width, height);
  to.drawImage(paint, 0, 0);
  if (object) {
    const [w, h] = [object.naturalWidth * place.scale, object.naturalHeight * place.scale];
    to.drawImage(object, place.x, place.y, w, h);
  }
}

function wholeMask() {
  const whole = mask.slice();
  if ($("auto").checked && (object || touched())) {
    const there = context(above).getImageData(0, 0, width, height).data;
    for (let i = 0; i < whole.length; i++) if (there[4 * i + 3] >= SOLID) whole[i] = 1;
  }
  return whole;
}

const touched = () => paint.dataset.touched === "yes";

let waiting = false;
function draw() {
  if (waiting || !base) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    drawAbove();
    const to = context(view);
    to.clearRect(0, 0, width, height);
    to.drawImage(base, 0, 0, width, height);
    to.drawImage(above, 0, 0);
    const whole = wholeMask(), shown = new ImageData(width, height);
    let num = 0;
    for (let i = 0; i < whole.length; i++) {
      if (!whole[i]) continue;
      num++;
      shown.data.set([255, 40, 120, 120], 4 * i);
    }
    if ($("shown").checked) {
      context(union).putImageData(shown, 0, 0);
      to.drawImage(union, 0, 0);
    }
    if (object && tool === "move") frame(to);
    if (cursor && tool !== "move") ring(to);
    info.textContent = `${width} × ${height} · ${root.dataset.masked} ${Math.round((1000 * num) / whole.length) / 10} %`;
    view.dataset.masked = num;
  });
}

function line() {
  return width / Math.max(1, view.getBoundingClientRect().width);
}

function frame(to) {
  const [w, h] = [object.naturalWidth * place.scale, object.naturalHeight * place.scale], unit = line();
  to.lineWidth = 2 * unit;
  to.strokeStyle = "#14b8a6";
  to.strokeRect(place.x, place.y, w, h);
  to.fillStyle = "#14b8a6";
  to.fillRect(place.x + w - 6 * unit, place.y + h - 6 * unit, 12 * unit, 12 * unit);
}

function ring(to) {
  to.beginPath();
  to.arc(cursor.x, cursor.y, Math.max(radius(), 0.5), 0, 7);
  to.lineWidth = 1.5 * line();
  to.strokeStyle = "#ffffff";
  to.stroke();
  to.setLineDash([4 * line(), 4 * line()]);
  to.strokeStyle = "#000000";
  to.stroke();
  to.setLineDash([]);
}

// Strokes -----------------------------------------------------------------------------------------

function remember() {
  const now = { mask: mask.slice(), paint: null, object, place: { ...place }, auto: $("auto").checked };
  if (touched() || target() === "colour") now.paint = context(paint).getImageData(0, 0, width, height);
  undo.push(now);
  const size = width * height * 5;
  while (undo.length > 1 && undo.length * size > MOST_UNDO) undo.shift();
}

function back() {
  const before = undo.pop();
  if (!before) return;
  ({ mask, object, place } = before);
  $("auto").checked = before.auto;
  context(paint).clearRect(0, 0, width, height);
  if (before.paint) context(paint).putImageData(before.paint, 0, 0);
  showObject();
  draw();
}

// All pixels whose middle is within the brush's radius of the line from a to b.
function strokeMask(a, b, value) {
  const r = Math.max(radius(), 0.75); // no smaller, or it would miss all of them
  const [left, right] = [Math.min(a.x, b.x) - r, Math.max(a.x, b.x) + r].map(Math.floor);
  const [top, bottom] = [Math.min(a.y, b.y) - r, Math.max(a.y, b.y) + r].map(Math.floor);
  const [dx, dy] = [b.x - a.x, b.y - a.y], length = dx * dx + dy * dy;
  for (let y = Math.max(0, top); y <= Math.min(height - 1, bottom); y++) {
    for (let x = Math.max(0, left); x <= Math.min(width - 1, right); x++) {
      const [px, py] = [x + 0.5 - a.x, y + 0.5 - a.y];
      const t = length ? Math.min(1, Math.max(0, (px * dx + py * dy) / length)) : 0;
      const [ex, ey] = [px - t * dx, py - t * dy];
      if (ex * ex + ey * ey <= r * r) mask[y * width + x] = value;
    }
  }
}

function strokeColour(a, b, erase) {
  const to = context(paint);
  to.globalCompositeOperation = erase ? "destination-out" : "source-over";
  to.strokeStyle = $("colour").value;
  to.lineWidth = Math.max(1, 2 * radius());
  to.lineCap = to.lineJoin = "round";
  to.beginPath();
  to.moveTo(a.x, a.y);
  to.lineTo(b.x + (a.x === b.x && a.y === b.y ? 0.01 : 0), b.y);
  to.stroke();
  to.globalCompositeOperation = "source-over";
  paint.dataset.touched = "yes";
}

function stroke(a, b) {
  const erase = tool === "eraser";
  if (target() === "mask") strokeMask(a, b, erase ? 0 : 1);
  else strokeColour(a, b, erase);
  draw();
}

// Pointer and keys --------------------------------------------------------------------------------

function at(event) {
  const box = view.getBoundingClientRect();
  return { x: ((event.clientX - box.left) * width) / box.width, y: ((event.clientY - box.top) * height) / box.height };
}

view.addEventListener("pointerdown", (event) => {
  if (!base || event.button) return;
  view.setPointerCapture(event.pointerId);
  view.focus({ preventScroll: true });
  event.preventDefault();
  const here = at(event);
  remember();
  if (tool === "move") {
    if (!object) return;
    const [w, h] = [object.naturalWidth * place.scale, object.naturalHeight * place.scale];
    const reach = 14 * line();
    const corner = Math.abs(here.x - place.x - w) < reach && Math.abs(here.y - place.y - h) < reach;
    drag = { corner, here, place: { ...place } };
    return;
  }
  last = here;
  stroke(here, here);
});

view.addEventListener("pointermove", (event) => {
  if (!base) return;
  const here = at(event);
  cursor = here;
  if (drag) {
    const [dx, dy] = [here.x - drag.here.x, here.y - drag.here.y];
    if (drag.corner) {
      const w = object.naturalWidth;
      place.scale = Math.max(1 / w, drag.place.scale + dx / w);
    } else {
      place = { ...drag.place, x: Math.round(drag.place.x + dx), y: Math.round(drag.place.y + dy) };
    }
    showObject();
  } else if (last) {
    stroke(last, here);
    last = here;
  }
  draw();
});

for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
  view.addEventListener(name, () => { last = drag = null; });
}
view.addEventListener("pointerleave", () => { cursor = null; draw(); });

view.addEventListener("keydown", (event) => {
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (!base) return;
  if ((event.ctrlKey || event.metaKey) && event.key === "z") { back(); event.preventDefault(); return; }
  if (steps[event.key]) {
    const far = event.shiftKey ? 10 : 1, [dx, dy] = steps[event.key].map((one) => one * far);
    if (tool === "move" && object) { place.x += dx; place.y += dy; showObject(); } else {
      cursor = cursor || { x: Math.floor(width / 2) + 0.5, y: Math.floor(height / 2) + 0.5 };
      const next = { x: Math.min(width, Math.max(0, cursor.x + dx)), y: Math.min(height, Math.max(0, cursor.y + dy)) };
      if (event.altKey) { remember(); stroke(cursor, next); }
      cursor = next;
    }
  } else if (event.key === " " || event.key === "Enter") {
    cursor = cursor || { x: Math.floor(width / 2) + 0.5, y: Math.floor(height / 2) + 0.5 };
    if (tool !== "move") { remember(); stroke(cursor, cursor); }
  } else if (["+", "-"].includes(event.key) && tool === "move" && object) {
    place.scale *= event.key === "+" ? 1.05 : 1 / 1.05;
    showObject();
  } else return;
  event.preventDefault();
  draw();
});

// Controls ----------------------------------------------------------------------------------------

function choose(name) {
  tool = name;
  for (const button of element.querySelectorAll("[data-tool]")) {
    button.setAttribute("aria-pressed", String(button.dataset.tool === name));
  }
  view.style.cursor = name === "move" ? "move" : "crosshair";
  draw();
}

for (const button of element.querySelectorAll("[data-tool]")) {
  button.addEventListener("click", () => choose(button.dataset.tool));
}
const deeds = {
  undo: back,
  invert() {
    remember();
    drawAbove();
    mask = wholeMask().map((one) => 1 - one);
    $("auto").checked = false;
    draw();
  },
  clear() { remember(); mask.fill(0); draw(); },
  wipe() {
    remember();
    context(paint).clearRect(0, 0, width, height);
    paint.dataset.touched = "no";
    draw();
  },
  remove() { remember(); object = null; showObject(); draw(); },
  close() {
    base = object = mask = null;
    view.hidden = true;
    empty.hidden = false;
    info.textContent = "";
    showObject();
    for (const part of element.querySelectorAll("[data-needs]")) part.disabled = true;
  },
};
for (const [name, deed] of Object.entries(deeds)) $(name).addEventListener("click", deed);
for (const name of ["auto", "shown", "size"]) $(name).addEventListener("input", draw);
for (const name of ["x", "y", "scale"]) {
  $(name).addEventListener("change", () => {
    const value = Number($(name).value);
    if (Number.isFinite(value)) place[name] = name === "scale" ? Math.max(0.1, value) / 100 : Math.round(value);
    showObject();
    draw();
  });
}
for (const input of element.querySelectorAll('input[name="target"]')) {
  input.addEventListener("input", () => { $("colours").hidden = target() !== "colour"; });
}
$("open").addEventListener("change", (event) => {
  if (event.target.files[0]) load(event.target.files[0], begin);
  event.target.value = "";
});
$("add").addEventListener("change", (event) => {
  if (event.target.files[0]) load(event.target.files[0], place_object);
  event.target.value = "";
});
for (const name of ["dragover", "drop"]) {
  element.addEventListener(name, (event) => {
    event.preventDefault();
    const file = name === "drop" && [...event.dataTransfer.files].find((one) => one.type.startsWith("image/"));
    if (file) receive(file);
  });
}
document.addEventListener("paste", (event) => {
  if (!element.isConnected || !element.offsetParent || /^(INPUT|TEXTAREA)$/.test(event.target.tagName)) return;
  const file = [...event.clipboardData.files].find((one) => one.type.startsWith("image/"));
  if (file) receive(file);
});

// To and from the page ----------------------------------------------------------------------------

function heed() {
  const value = props.value || {};
  if (value.token === undefined || value.token === told) return;
  told = value.token;
  if (value.target) {
    for (const input of element.querySelectorAll('input[name="target"]')) input.checked = input.value === value.target;
    $("colours").hidden = target() !== "colour";
    $("targets").hidden = value.only === true;
    $("auto").checked = value.auto !== false;
  }
  if (value.background) load(value.background.url, begin);
  else draw();
}
watch("value", heed);
heed();

const blob = (canvas) => new Promise((done) => canvas.toBlob(done, "image/png"));

// What the page sends: the picture and the mask as uploaded files, or null without a picture.
async function take() {
  if (!base) return null;
  drawAbove();
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [width, height];
  const to = context(canvas);
  to.fillStyle = "#ffffff";
  to.fillRect(0, 0, width, height);
  to.drawImage(base, 0, 0, width, height);
  to.drawImage(above, 0, 0);
  const picture = await upload(new File([await blob(canvas)], "picture.png", { type: "image/png" }));
  const whole = wholeMask(), pixels = new ImageData(width, height);
  for (let i = 0; i < whole.length; i++) {
    const level = whole[i] ? 255 : 0;
    pixels.data.set([level, level, level, 255], 4 * i);
  }
  to.putImageData(pixels, 0, 0);
  const masked = whole.some((one) => one);
  const file = masked && (await upload(new File([await blob(canvas)], "mask.png", { type: "image/png" })));
  return { token: told, picture: { path: picture.path }, mask: file ? { path: file.path } : null };
}
window.studioEditor = { take, mask: () => wholeMask(), size: () => [width, height] };
choose("brush");
