"use strict";
(() => {
  let charts = JSON.parse(document.getElementById("data").textContent).charts;
  const axes = { step: "step", epoch: "epoch", time: "minutes" };
  const drawn = [];
  let by = "step";

  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const short = (x) => {
    if (x == null) return "–";
    const size = Math.abs(x);
    if (size >= 1e12 || (x !== 0 && size < 1e-4)) return x.toExponential(2);
    for (const [unit, name] of [[1e9, "G"], [1e6, "M"], [1e4, "k"]]) if (size >= unit) return +(x / (unit === 1e4 ? 1e3 : unit)).toPrecision(4) + name;
    return String(+x.toPrecision(5));
  };

  function draw(place) {
    const chart = charts[+place.dataset.chart];
    const tables = chart.series.map((one) => [one.x[by] || one.x.step || one.x.at, one.y]);
    const joined = tables.length === 1 ? tables[0] : uPlot.join(tables);
    const own = chart.x || axes[by];
    const axis = { stroke: colour("--soft"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1 } };
    const few = (u, index) => u.data[index].reduce((n, y) => n + (y != null), 0) <= 40;
    const options = {
      width: place.clientWidth,
      height: 250,
      cursor: { drag: { x: true, y: false } },
      scales: { x: { time: false } },
      axes: [
        { ...axis, label: own, labelSize: 18, labelFont: "12px system-ui", font: "11px system-ui", values: (u, all) => all.map(short) },
        { ...axis, size: 62, font: "11px system-ui", values: (u, all) => all.map(short) },
      ],
      series: [
        { label: own, value: (u, x) => short(x) },
        ...chart.series.map((one) => ({
          label: one.name,
          stroke: colour("--c" + (one.colour % 8)),
          dash: one.dashed ? [6, 4] : undefined,
          width: 1.6,
          spanGaps: true,
          points: { show: few, size: 5 },
          value: (u, y) => short(y),
        })),
      ],
    };
    place.textContent = "";
    drawn.push(new uPlot(options, joined, place));
  }

  function all() {
    while (drawn.length) drawn.pop().destroy();
    document.querySelectorAll(".chart").forEach(draw);
  }

  // Charts follow the width of their places.
  const sized = new ResizeObserver(() => drawn.forEach((plot) => {
    const width = plot.root.parentElement.clientWidth;
    if (width > 0 && width !== plot.width) plot.setSize({ width, height: 250 });
  }));

  function begin() {
    const buttons = document.querySelectorAll(".axis button");
    const press = () => buttons.forEach((b) => b.setAttribute("aria-pressed", b.dataset.by === by));
    buttons.forEach((button) => button.addEventListener("click", () => { by = button.dataset.by; press(); all(); }));
    press();
    all();
    sized.disconnect();
    document.querySelectorAll(".chart").forEach((place) => sized.observe(place));
  }

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", all);
  window.burnrec = { replace: (next) => { charts = next; begin(); } };
  begin();
})();
