// The loss of every step while a run trains. Points come as pairs of float32 (step, loss), a piece at a time; they are
// drawn when the browser next paints, however many pieces came since. `uPlot` is defined by the file in front of this.

const KEEP = 0.98; // of the running mean, a step

class Points {
  constructor() {
    this.room = 1 << 12;
    this.clear();
  }

  clear() {
    this.count = 0;
    this.columns = [0, 1, 2].map(() => new Float64Array(this.room)); // step, loss, running mean
    this.mean = 0;
    this.weight = 0;
  }

  add(pairs) {
    while (this.count + pairs.length / 2 > this.room) this.grow();
    const [steps, losses, means] = this.columns;
    for (let i = 0; i < pairs.length; i += 2) {
      this.mean = KEEP * this.mean + (1 - KEEP) * pairs[i + 1];
      this.weight = KEEP * this.weight + (1 - KEEP);
      steps[this.count] = pairs[i];
      losses[this.count] = pairs[i + 1];
      means[this.count++] = this.mean / this.weight;
    }
  }

  grow() {
    this.room *= 2;
    this.columns = this.columns.map((old) => {
      const wider = new Float64Array(this.room);
      wider.set(old);
      return wider;
    });
  }

  shown() {
    return this.columns.map((column) => column.subarray(0, this.count));
  }
}

function colour(element, name, otherwise) {
  return getComputedStyle(element).getPropertyValue(name).trim() || otherwise;
}

function options(element) {
  const text = () => colour(element, "--jp-ui-font-color1", "#555");
  const line = () => colour(element, "--jp-border-color2", "#ccc");
  const axis = (label) => ({ label, labelSize: 18, stroke: text, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } });
  const exact = (_, value) => (value == null ? "" : value.toPrecision(4));
  return {
    width: Math.max(280, element.clientWidth || 640),
    height: 240,
    scales: { x: { time: false } },
    axes: [axis("step"), axis("training loss")],
    series: [
      { label: "step" },
      { label: "each step", stroke: () => colour(element, "--jp-brand-color1", "#2f7fd1") + "88", width: 1, points: { show: false }, value: exact },
      { label: "running mean", stroke: () => colour(element, "--jp-warn-color1", "#d9730d"), width: 2, points: { show: false }, value: exact },
    ],
  };
}

function render({ model, el }) {
  const element = document.createElement("div");
  element.className = "nbtune-live";
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", "training loss by step, no points yet");
  el.append(element);
  const points = new Points();
  let plot = null;
  let waiting = 0;

  function draw() {
    waiting = 0;
    if (!points.count) return;
    const data = points.shown();
    if (plot === null) plot = new uPlot(options(element), data, element);
    else {
      // who has zoomed in keeps looking there
      const { min, max } = plot.scales.x;
      const before = plot.data[0];
      plot.setData(data, min <= before[0] && max >= before[before.length - 1]);
    }
    const last = data[1][points.count - 1].toPrecision(3);
    element.setAttribute("aria-label", `training loss by step, ${points.count} points, last ${last}`);
  }

  function heard(message, buffers) {
    if (message.kind !== "points") return;
    if (message.first === 0) points.clear();
    if (message.first !== points.count) return ask(); // a piece is missing, as after a reload of the page
    const [view] = buffers;
    points.add(new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength)));
    waiting ||= requestAnimationFrame(draw);
  }

  const ask = () => model.send({ kind: "all" });
  const fit = new ResizeObserver(() => plot?.setSize({ width: Math.max(280, element.clientWidth), height: 240 }));
  fit.observe(el);
  model.on("msg:custom", heard);
  ask();
  return () => {
    model.off("msg:custom", heard);
    fit.disconnect();
    cancelAnimationFrame(waiting);
    plot?.destroy();
  };
}

export default { render };
