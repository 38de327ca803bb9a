"use strict";

const CANVAS_WIDTH = 450; // at least so many canvas pixels, so that outlines are sharp
const REFERENCE = "#ff3b47";
const PREDICTION = "#4cc3ff";

/* Tables: a click on a heading sorts by that column, another one the other way round. */

function numberOf(text) {
  return parseFloat(text.replace(/^[<>]/, ""));
}

function compareCells(a, b, numeric, sign) {
  if (!numeric) return sign * a.localeCompare(b, "en", { numeric: true });
  const [x, y] = [numberOf(a), numberOf(b)];
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y); // what is missing stays last
  return sign * (x - y);
}

function sortBy(table, header, column) {
  const numeric = header.dataset.sort === "number";
  const direction = header.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
  for (const body of table.tBodies) {
    const rows = [...body.rows].filter((row) => !row.classList.contains("section"));
    const keyed = rows.map((row) => [row, row.cells[column].textContent.trim()]);
    keyed.sort(([, a], [, b]) => compareCells(a, b, numeric, direction === "ascending" ? 1 : -1));
    body.append(...keyed.map(([row]) => row));
  }
  for (const cell of table.querySelectorAll("th[aria-sort]")) cell.setAttribute("aria-sort", "none");
  header.setAttribute("aria-sort", direction);
  document.getElementById("status").textContent = `Sorted by ${header.dataset.name}, ${direction}`;
}

function makeSortable(table) {
  table.querySelectorAll("thead th").forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...header.childNodes);
    header.append(button);
    if (!header.hasAttribute("aria-sort")) header.setAttribute("aria-sort", "none");
    button.addEventListener("click", () => sortBy(table, header, column));
  });
}

/* Cases: the image is one picture of all slices, the masks are runs of voxels outside and inside in turn. */

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

async function unpackMasks(base64, names, size) {
  const stream = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("deflate"));
  const packed = new Uint8Array(await new Response(stream).arrayBuffer());
  let at = 0;
  const next = () => {
    let value = 0;
    let unit = 1;
    for (;;) {
      const byte = packed[at++];
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
      unit *= 128;
    }
  };
  const masks = new Map();
  for (const name of names) {
    const mask = new Uint8Array(size);
    for (let end = 0, inside = 0; end < size; inside = 1 - inside) {
      const start = end;
      end += next();
      if (inside) mask.fill(1, start, end);
    }
    masks.set(name, mask);
  }
  return masks;
}

async function unpackCase(text) {
  const data = JSON.parse(text);
  const picture = new Image();
  picture.src = `data:image/webp;base64,${data.image}`;
  const size = data.width * data.height * data.slices.length;
  const [masks] = await Promise.all([unpackMasks(data.runs, data.masks, size), picture.decode()]);
  return { ...data, picture, masks, scale: Math.ceil(CANVAS_WIDTH / data.width) };
}

function drawSlice(canvas, open, index) {
  const { width, height, columns, picture } = open;
  const context = canvas.getContext("2d");
  const [left, top] = [(index % columns) * width, Math.floor(index / columns) * height];
  context.drawImage(picture, left, top, width, height, 0, 0, canvas.width, canvas.height);
  return context;
}

/* Draws the edges between voxels inside and outside; returns how many are inside and the box around them. */
function drawMask(context, mask, open, index, colour, filled) {
  const { width, height } = open;
  const offset = index * width * height;
  const at = (x, y) => x >= 0 && y >= 0 && x < width && y < height && mask[offset + y * width + x];
  const m = open.scale;
  const edges = new Path2D();
  const area = new Path2D();
  const edge = (x0, y0, x1, y1) => {
    edges.moveTo(x0 * m, y0 * m);
    edges.lineTo(x1 * m, y1 * m);
  };
  let voxels = 0;
  const box = [width, height, -1, -1];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!at(x, y)) continue;
      voxels += 1;
      box[0] = Math.min(box[0], x);
      box[1] = Math.min(box[1], y);
      box[2] = Math.max(box[2], x);
      box[3] = Math.max(box[3], y);
      if (filled) area.rect(x * m, y * m, m, m);
      if (!at(x - 1, y)) edge(x, y, x, y + 1);
      if (!at(x + 1, y)) edge(x + 1, y, x + 1, y + 1);
      if (!at(x, y - 1)) edge(x, y, x + 1, y);
      if (!at(x, y + 1)) edge(x, y + 1, x + 1, y + 1);
    }
  }
  context.fillStyle = `${colour}33`;
  context.fill(area);
  context.lineCap = "round";
  context.strokeStyle = colour;
  context.lineWidth = context.canvas.width / 180;
  context.stroke(edges);
  return { voxels, box: voxels ? box.join(" ") : "" };
}

/* The dialog that shows one case. */

class Viewer {
  constructor(dialog) {
    this.dialog = dialog;
    this.part = (name) => dialog.querySelector(`[data-part="${name}"]`);
    this.slider = this.part("slider");
    this.open = null;
    this.wanted = null;
    this.slider.addEventListener("input", () => this.draw());
    for (const box of dialog.querySelectorAll("input[type=checkbox]")) {
      box.addEventListener("change", () => this.draw());
    }
    this.part("close").addEventListener("click", () => dialog.close());
    this.part("before").addEventListener("click", () => this.step(-1));
    this.part("after").addEventListener("click", () => this.step(1));
    dialog.addEventListener("keydown", (event) => this.key(event));
  }

  async show(name) {
    this.wanted = name;
    this.part("title").textContent = name;
    this.part("message").textContent = "Unpacking …";
    if (!this.dialog.open) this.dialog.showModal();
    try {
      const script = [...document.querySelectorAll("script.case")].find((one) => one.dataset.case === name);
      const open = await unpackCase(script.textContent);
      if (this.wanted !== name) return;
      this.open = open;
      this.part("message").textContent = "";
      this.slider.max = open.slices.length - 1;
      this.slider.value = open.first;
      this.layOut();
      this.draw();
    } catch (error) {
      this.open = null;
      this.part("panels").replaceChildren();
      this.part("message").textContent = `This case cannot be shown in this browser: ${error.message}`;
    }
  }

  /* The case before or after in the table's order. */
  step(by) {
    const names = [...document.querySelectorAll("button.case")].map((button) => button.dataset.case);
    this.show(names[(names.indexOf(this.wanted) + by + names.length) % names.length]);
  }

  layOut() {
    const { width, height, scale, pixel, masks, labels } = this.open;
    const template = document.getElementById("panel");
    const panels = [null, ...labels].map((label) => {
      const panel = template.content.firstElementChild.cloneNode(true);
      const canvas = panel.querySelector("canvas");
      canvas.width = width * scale;
      canvas.height = height * scale;
      canvas.style.aspectRatio = `${width * pixel[0]} / ${height * pixel[1]}`;
      panel.querySelector("[data-part=label]").textContent = label ?? "Reference";
      panel.querySelector("[data-part=scores]").textContent = this.open.scores[label ?? ""];
      panel.dataset.label = label ?? "";
      panel.hidden = label !== null && !masks.has(label);
      return panel;
    });
    this.part("panels").replaceChildren(...panels);
  }

  draw() {
    if (!this.open) return;
    const index = Number(this.slider.value);
    const { masks, slices } = this.open;
    const place = `${index + 1} of ${slices.length} (z = ${slices[index]})`;
    this.part("place").textContent = place;
    this.slider.setAttribute("aria-valuetext", `Slice ${place}`);
    const shown = { reference: this.part("reference").checked, prediction: this.part("prediction").checked };
    for (const panel of this.part("panels").children) {
      const label = panel.dataset.label || null;
      const canvas = panel.querySelector("canvas");
      const context = drawSlice(canvas, this.open, index);
      const told = [];
      if (label && shown.prediction && masks.has(label)) {
        const found = drawMask(context, masks.get(label), this.open, index, PREDICTION, true);
        Object.assign(canvas.dataset, { voxels: found.voxels, box: found.box });
        told.push(found.voxels ? `prediction of ${found.voxels} pixels` : "no prediction on this slice");
      }
      if (shown.reference) {
        const found = drawMask(context, masks.get(null), this.open, index, REFERENCE, false);
        if (!label) Object.assign(canvas.dataset, { voxels: found.voxels, box: found.box });
        told.push(found.voxels ? `reference of ${found.voxels} pixels` : "no reference on this slice");
      }
      canvas.setAttribute("aria-label", `${label ?? "Reference"}, slice ${index + 1}: ${told.join(", ") || "image only"}`);
    }
  }

  /* Arrow keys move through the slices wherever the focus is in the dialog; the slider has its own. */
  key(event) {
    const by = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (by === undefined || event.target === this.slider || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    this.slider.value = Number(this.slider.value) + by;
    this.draw();
  }
}

document.querySelectorAll("table.sortable").forEach(makeSortable);
const dialog = document.getElementById("viewer");
if (dialog) {
  document.getElementById("no-script").remove();
  const viewer = new Viewer(dialog);
  for (const button of document.querySelectorAll("button.case")) {
    button.disabled = false;
    button.addEventListener("click", () => viewer.show(button.dataset.case));
  }
}
