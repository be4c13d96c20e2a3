"""Frames a second of the live chart in Chromium, without a graphics card: 100,000 points stand there, and each frame
more come, as while a run trains. The page holds the very code that the widget sends, and reaches no network.

    python benchmarks/live_chart.py [--points 100000] [--seconds 5]
"""

from __future__ import annotations

import argparse
import shutil
from importlib import resources

from playwright.sync_api import sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
PAGE = """<!doctype html><style>{css}</style><div id="place" style="width: 900px"></div><script type="module">
{code}
const started = render;
window.measure = async ({{points, seconds, fresh}}) => {{
  let heard = null;
  const model = {{ on: (_, call) => (heard = call), off: () => {{}}, send: () => {{}} }};
  started({{ model, el: document.getElementById("place") }});
  let sent = 0;
  const piece = (count) => {{
    const pairs = new Float32Array(2 * count);
    for (let i = 0; i < count; i++) {{
      pairs[2 * i] = sent + i + 1;
      pairs[2 * i + 1] = 2 / Math.sqrt(1 + (sent + i) / 500) + 0.3 * Math.random();
    }}
    heard({{ kind: "points", first: sent }}, [new DataView(pairs.buffer)]);
    sent += count;
  }};
  piece(points);
  const frame = () => new Promise(requestAnimationFrame);
  for (let i = 0; i < 10; i++) await frame();
  const times = [performance.now()];
  while (times.at(-1) - times[0] < 1000 * seconds) {{
    piece(fresh);
    await frame();
    // what was drawn must have reached the canvas before the next frame counts
    document.querySelector("canvas").getContext("2d").getImageData(0, 0, 1, 1);
    times.push(performance.now());
  }}
  const spans = times.slice(1).map((time, i) => time - times[i]).sort((a, b) => a - b);
  return {{
    rate: (1000 * (times.length - 1)) / (times.at(-1) - times[0]),
    median: spans[Math.floor(spans.length / 2)],
    slow: spans[Math.floor(0.95 * spans.length)],
    points: sent,
    drawn: document.querySelector("[role=img]").getAttribute("aria-label"),
  }};
}};
</script>"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--fresh", type=int, default=10, help="points that come with each frame")
    parser.add_argument("--picture", help="a file for a picture of what was drawn")
    asked = parser.parse_args()
    static = resources.files("nbtune.notebook") / "static"
    code = "\n".join((static / name).read_text(encoding="utf-8") for name in ("uPlot.iife.min.js", "chart.js"))
    css = "\n".join((static / name).read_text(encoding="utf-8") for name in ("uPlot.min.css", "chart.css"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        page = browser.new_page(viewport={"width": 1000, "height": 500})
        page.on("request", lambda request: print(f"the page asked for {request.url}"))
        page.set_content(PAGE.format(css=css, code=code.replace("export default { render };", "")))
        page.wait_for_function("() => window.measure !== undefined")
        told = page.evaluate("asked => measure(asked)", vars(asked))
        if asked.picture:
            page.screenshot(path=asked.picture)
        browser.close()
    print(f"{told['points']:,} points at the end; {told['drawn']}")
    print(f"{told['rate']:.1f} frames a second; a frame takes {told['median']:.1f} ms, one in 20 {told['slow']:.1f} ms")


if __name__ == "__main__":
    main()
