"use strict";
// Follows /live, and asks /history for what came before. Draws at most once for each frame that
// the browser shows. All texts go in as text, never as HTML.

(() => {
  const RETRY_MS = 2000;
  const PATIENCE_MS = 10000; // something comes every 2 s: without power, a machine ends no connection
  const EVENTS_SHOWN = 30;
  const LOWEST_DBFS = -90;
  const WORDS = {
    opening: "opening the microphone",
    lost: "the microphone is lost",
    silent: "the microphone gives nothing but zeros",
    frozen: "the microphone no longer gives sound",
  };
  const at = (id) => document.getElementById(id);
  let hops = [], events = [], status = null, emotion = null, isDrawing = false, source = null;
  let isLive = false, heardAt = 0;

  // --- what comes in ---------------------------------------------------------------------------

  function takeHop(hop) {
    const entry = { ...hop, at: Date.parse(hop.time) / 1000 };
    // Set back, the clock would draw over what is there.
    if (hops.length && entry.at < hops[hops.length - 1].at) hops = [];
    hops.push(entry);
    while (hops.length && entry.at - hops[0].at > Chart.SECONDS) hops.shift();
    if (!hop.label) emotion = null;
  }

  function takeEvent(event) {
    emotion = event.kind === "end" ? null : event;
    if (event.kind === "update") return;
    events.unshift(event);
    events.length = Math.min(events.length, EVENTS_SHOWN);
  }

  async function fetchHistory() {
    const response = await fetch("/history");
    if (!response.ok) return;
    const kept = await response.json();
    // What the stream told while the answer was on its way comes after it.
    const lastHop = kept.hops.length ? Date.parse(kept.hops[kept.hops.length - 1].time) / 1000 : 0;
    const lastEvent = kept.events.length ? kept.events[kept.events.length - 1].monotonic : 0;
    const laterHops = hops.filter((hop) => hop.at > lastHop);
    const laterEvents = events.filter((event) => event.monotonic > lastEvent).reverse();
    hops = []; events = []; emotion = null;
    [...kept.hops, ...laterHops].forEach(takeHop);
    [...kept.events, ...laterEvents].forEach(takeEvent);
    status = { ...status, ...kept.status };
    show();
  }

  function follow() {
    source = new EventSource("/live");
    const on = (kind, take) => source.addEventListener(kind, (message) => {
      heardAt = performance.now();
      take(JSON.parse(message.data));
      show();
    });
    heardAt = performance.now();
    source.onopen = () => {
      showConnection("live", "live");
      hops = []; events = []; emotion = null;
      fetchHistory().catch(() => {}); // the stream's own error follows, and is shown
    };
    source.onerror = () => {
      showConnection("lost", "connection lost");
      // It comes back by itself, except when the answer was an error.
      if (source.readyState === EventSource.CLOSED) {
        source = null;
        fetch("/history").then(showRefusal).catch(() => {});
        setTimeout(follow, RETRY_MS);
      }
    };
    on("hop", takeHop);
    for (const kind of ["start", "update", "end"]) on(kind, takeEvent);
    on("source", (state) => { if (status) status.source = state; });
    on("about", (about) => { if (status) status.about = about; });
    on("status", (told) => { status = { ...status, ...told }; });
  }

  function watch() {
    if (!source || performance.now() - heardAt < PATIENCE_MS) return;
    source.close();
    follow();
    showConnection("lost", "connection lost: nothing came for 10 s");
  }

  // --- what is shown ---------------------------------------------------------------------------

  function show() {
    if (isDrawing) return;
    isDrawing = true;
    requestAnimationFrame(() => {
      isDrawing = false;
      if (!status) return;
      showNotices();
      showNow();
      showTimeline();
      showEvents();
      showFacts();
      showOutputs();
    });
  }

  function setText(element, text) {
    // Only where it changes: screen readers say aloud what does.
    if (element.textContent !== text) element.textContent = text;
  }

  function make(name, className, text) {
    const element = document.createElement(name);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  }

  function swatch(label) {
    const element = make("span", "swatch");
    element.style.background = Chart.colourOf(status.about.labels, label) || "transparent";
    return element;
  }

  function showConnection(state, text) {
    isLive = state === "live";
    at("connection").dataset.state = state;
    setText(at("connection"), text);
    show(); // what was heard last is not what is heard now
  }

  function showRefusal(response) {
    if (response.status === 401) {
      showConnection("lost", "connection lost: the token is another now, open this page as /?token=TOKEN");
    }
  }

  function showNotices() {
    const { state, detail } = status.source;
    at("trouble").hidden = state === "listening";
    at("trouble").className = `notice ${state === "opening" ? "warning" : "bad"}`;
    setText(at("trouble"), `${WORDS[state] || state}${detail ? `: ${detail}` : ""}`);
    const folder = status.about.saves_audio;
    at("saving").hidden = !folder;
    setText(at("saving"), folder ? `Sound around emotions is being saved in ${folder}` : "");
  }

  function showNow() {
    const hop = hops[hops.length - 1];
    const isHeard = isLive && status.source.state === "listening" && hop;
    const label = isHeard && hop.label;
    const without = !isLive ? "not connected" : !isHeard ? "not listening" : hop.is_open ? "listening" : "quiet";
    setText(at("label"), label || without);
    const isTold = emotion && emotion.label === label;
    const score = label && (isTold ? emotion.score : hop.scores && hop.scores[label]);
    setText(at("score"), label && Number.isFinite(score) ? percent(score) : "");
    const level = isHeard ? decibels(hop.level_dbfs) : LOWEST_DBFS;
    at("level").style.width = `${position(level)}%`;
    at("meter").setAttribute("aria-valuenow", level.toFixed(0));
    setText(at("level-text"), isHeard ? `level ${level.toFixed(0)} dBFS` : "no sound");
    const noise = isHeard ? decibels(hop.noise_dbfs) : LOWEST_DBFS;
    at("noise").style.left = `calc(${position(noise)}% - 1.5px)`;
    setText(at("noise-text"), `noise floor ${isHeard ? noise.toFixed(0) : "–"} dBFS`);
    const isOpen = Boolean(isHeard && hop.is_open);
    at("gate").dataset.open = String(isOpen);
    setText(at("gate"), isOpen ? "speech" : "no speech");
  }

  function showTimeline() {
    const { labels, hop_seconds: hopSeconds } = status.about;
    Chart.draw(at("chart"), labels, hops, hopSeconds);
    const last = hops[hops.length - 1];
    const legend = at("legend");
    if (legend.dataset.labels !== labels.join()) {
      legend.dataset.labels = labels.join();
      legend.replaceChildren(...labels.map((label) => {
        const item = make("li");
        item.append(swatch(label), make("span", "name", label), make("span", "value"));
        return item;
      }));
    }
    labels.forEach((label, number) => {
      const score = last && last.scores ? percent(last.scores[label]) : "–";
      setText(legend.children[number].querySelector(".value"), score);
    });
  }

  function showEvents() {
    const list = at("events");
    const newest = events[0] ? `${events[0].kind}${events[0].monotonic}${events.length}` : "none";
    if (list.dataset.newest === newest) return;
    list.dataset.newest = newest;
    list.replaceChildren(...events.map((event) => {
      const item = make("li");
      const time = make("time", "", new Date(event.time).toLocaleTimeString());
      time.dateTime = event.time;
      const seconds = event.kind === "end" ? ` after ${(event.end - event.start).toFixed(1)} s` : "";
      item.append(
        time, swatch(event.label), make("span", "name", `${event.label} ${event.kind}s${seconds}`),
        make("span", "value", percent(event.score)),
      );
      return item;
    }));
    if (!events.length) list.append(make("li", "", "none yet"));
  }

  function showFacts() {
    const { about, counts, machine = {} } = status;
    const classified = hops.filter((hop) => hop.scores);
    const last = classified[classified.length - 1];
    const figures = about.figures || {};
    const dropped = counts["dropped milliseconds"];
    const facts = [
      ["source", `${about.source}: ${status.source.state}`, status.source.state !== "listening"],
      ["model", about.model],
      ["test figure", Number.isFinite(figures.uar) ? testFigure(figures) : "the model tells none"],
      ["back end", about.backend],
      ["profile", about.profile],
      ["adapts", about.adapts ? "to the voice that is heard" : ""],
      ["latency", last ? `${last.latency_ms.toFixed(1)} ms` : "–"],
      ["CPU", Number.isFinite(machine.cpu_share) ? `${(100 * machine.cpu_share).toFixed(1)} % of a core` : "–"],
      ["memory", Number.isFinite(machine.resident_bytes) ? `${(machine.resident_bytes / 1e6).toFixed(0)} MB` : "–"],
      ["temperature", Number.isFinite(machine.temperature_celsius) ? `${machine.temperature_celsius.toFixed(0)} °C` : "not told by this machine"],
      ["running for", duration(status.uptime_seconds)],
      ["windows", `${counts.inferences} classified of ${counts.hops}`],
      ["sound lost", `${counts.overflows} times by the device, ${(dropped / 1000).toFixed(1)} s here`,
        counts.overflows > 0 || dropped > 0],
      ["version", about.version],
    ].filter(([, value]) => value !== undefined && value !== null && value !== "");
    const list = at("facts");
    if (list.children.length !== 2 * facts.length) {
      list.replaceChildren(...facts.flatMap(() => [make("dt"), make("dd")]));
    }
    facts.forEach(([name, value, isBad], number) => {
      setText(list.children[2 * number], name);
      setText(list.children[2 * number + 1], value);
      list.children[2 * number + 1].classList.toggle("bad-text", Boolean(isBad));
    });
  }

  function showOutputs() {
    at("outputs").hidden = !status.outputs.length;
    const rows = status.outputs.flatMap((output) => {
      const row = make("tr");
      row.append(
        make("td", "", output.name), make("td", "", String(output.delivered)),
        make("td", "", String(output.waiting)), make("td", "", String(output.dropped)),
      );
      if (!output.trouble) return [row];
      const reason = make("tr");
      const cell = make("td", "reason", output.trouble);
      cell.colSpan = 4;
      reason.append(cell);
      return [row, reason];
    });
    at("outputs").tBodies[0].replaceChildren(...rows);
  }

  // --- numbers ---------------------------------------------------------------------------------

  const percent = (share) => `${Math.round(100 * share)} %`;
  const decibels = (value) => (Number.isFinite(value) ? Math.max(LOWEST_DBFS, Math.min(0, value)) : LOWEST_DBFS);
  const position = (level) => 100 * (1 - level / LOWEST_DBFS);

  function testFigure({ uar, utterances, protocol }) {
    const of = Number.isFinite(utterances) ? ` on ${utterances} utterances` : "";
    const how = protocol ? ` (${String(protocol).split(";")[0]})` : "";
    return `UAR ${uar.toFixed(2)}${of}${how}`;
  }

  function duration(seconds) {
    const minutes = Math.floor(seconds / 60), hours = Math.floor(minutes / 60);
    if (hours >= 48) return `${Math.floor(hours / 24)} days`;
    return hours ? `${hours} h ${minutes % 60} min` : minutes ? `${minutes} min` : `${Math.floor(seconds)} s`;
  }

  // The token is in a cookie by now; in the address it would be seen, and be kept in the history.
  if (location.search) history.replaceState(null, "", location.pathname);
  window.addEventListener("resize", show);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  setInterval(watch, 1000);
  follow();
})();
