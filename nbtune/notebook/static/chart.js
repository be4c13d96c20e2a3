// The loss of every step while a run trains. Points come as pairs of float32 (step, loss), a piece at a time; they are
// drawn when the browser next paints, however many pieces came since. `uPlot` is defined by the file in front of this.

const STEPS = [0, 1, 2, 3, 4, 5, 6, 7].flatMap((power) => [1, 2, 5].map((digit) => digit * 10 ** power)); // between ticks
const SPAN = 50; // steps that the running mean looks back, fewer while there are few

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
      const share = 1 / Math.min(SPAN, 4 + this.count / 20);
      if (Number.isFinite(pairs[i + 1])) { // one that is not would stay in the mean for good
        this.mean += share * (pairs[i + 1] - this.mean);
        this.weight += share * (1 - this.weight);
      }
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

function options(element) {
  // asked for at each drawing: the theme may change meanwhile
  const colour = (name) => () => getComputedStyle(element).getPropertyValue(name).trim();
  const text = () => getComputedStyle(element).color;
  const line = colour("--nb-line");
  const axis = (label, more) => ({ label, ...more, labelSize: 18, stroke: text, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } });
  // beside the pointer, else the newest
  const exact = (plot, value, series) => (value ?? plot.data[series].at(-1))?.toPrecision(4) ?? "";
  const whole = (plot, value) => (value ?? plot.data[0].at(-1))?.toLocaleString("en") ?? "";
  return {
    width: Math.max(280, element.clientWidth || 640),
    height: 240,
    scales: { x: { time: false } },
    axes: [axis("step", { size: 34, incrs: STEPS }), axis("training loss", { size: 62 })],
    series: [
      { label: "step", value: whole },
      { label: "each step", stroke: colour("--nb-accent"), alpha: 0.55, width: 1, points: { show: false }, value: exact },
      { label: "running mean", stroke: colour("--nb-warn"), width: 2, points: { show: false }, value: exact },
    ],
  };
}

function render({ model, el }) {
  const element = document.createElement("div");
  element.className = "nbtune-live";
  element.setAttribute("role", "img");
  element.setAttribute("aria-label", "training loss by step, no points yet");
  const words = document.createElement("div");
  words.className = "nbtune-live-words";
  words.textContent = "training loss: the curve begins with the first step";
  element.append(words);
  el.append(element);
  const points = new Points();
  let plot = null;
  let waiting = 0;

  function draw() {
    waiting = 0;
    if (!points.count) return;
    const data = points.shown();
    if (plot === null) {
      plot = new uPlot(options(element), data, element);
      words.textContent = "drag to zoom in, double-click to see all";
      element.append(words);
    } else {
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
