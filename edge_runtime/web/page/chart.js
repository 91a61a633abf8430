"use strict";
// The timeline: for each hop the probabilities of the classes, one above the other, and below them
// a band of what was decided. Where nothing was classified there is nothing.

const Chart = (() => {
  const SECONDS = 300;
  const BAND = 10; // height of what was decided, in CSS pixels
  const FOOT = 18; // room for the times
  // Okabe and Ito's colours, which people with any kind of colour vision tell apart; in the order
  // of neutral, happy, sad, angry, fear, disgust, surprise, and one for an eighth class.
  const COLOURS = ["#999999", "#e69f00", "#0072b2", "#d55e00", "#cc79a7", "#009e73", "#56b4e9", "#f0e442"];

  function colourOf(labels, label) {
    const at = labels.indexOf(label);
    return at < 0 ? null : COLOURS[at % COLOURS.length];
  }

  function draw(canvas, labels, hops, hopSeconds) {
    const ratio = window.devicePixelRatio || 1;
    const width = canvas.clientWidth, height = canvas.clientHeight;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const style = getComputedStyle(document.documentElement);
    const top = height - FOOT - BAND - 4;
    drawGrid(pen, style, width, height, top);
    if (!hops.length) return;
    const now = hops[hops.length - 1].at;
    // To whole pixels, for edges between them would mix the colours.
    const step = Math.ceil((hopSeconds / SECONDS) * width);
    for (const hop of hops) {
      const left = Math.round(width * (1 - (now - hop.at) / SECONDS)) - step;
      if (left + step < 0) continue;
      if (hop.scores) drawScores(pen, labels, hop.scores, left, step, top);
      if (hop.label) {
        pen.fillStyle = colourOf(labels, hop.label) || style.getPropertyValue("--quiet");
        pen.fillRect(left, top + 4, step, hop.label === "unsure" ? 3 : BAND);
      }
    }
  }

  function drawScores(pen, labels, scores, left, width, height) {
    let sum = 0, below = height;
    for (const label of labels) {
      sum += scores[label] || 0;
      const above = Math.round(height * Math.max(0, 1 - sum));
      pen.fillStyle = colourOf(labels, label);
      pen.fillRect(left, above, width, below - above);
      below = above;
    }
  }

  function drawGrid(pen, style, width, height, top) {
    pen.strokeStyle = style.getPropertyValue("--line");
    pen.fillStyle = style.getPropertyValue("--quiet");
    pen.font = "12px system-ui, sans-serif";
    pen.lineWidth = 1;
    for (let minute = 0; minute <= SECONDS / 60; minute += 1) {
      const x = Math.min(width - 0.5, Math.max(0.5, width * (1 - (minute * 60) / SECONDS)));
      pen.beginPath();
      pen.moveTo(x, 0);
      pen.lineTo(x, top + BAND + 4);
      pen.stroke();
      pen.textAlign = minute === 0 ? "right" : x < 20 ? "left" : "center";
      pen.fillText(minute === 0 ? "now" : `−${minute} min`, x, height - 4);
    }
    pen.strokeRect(0.5, 0.5, width - 1, top);
  }

  return { SECONDS, colourOf, draw };
})();
