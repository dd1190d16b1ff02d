// Shows the server's time as its events arrive. EventSource reconnects by itself.
"use strict";

const card = document.querySelector("[data-events]");
const state = card.querySelector(".state");
const stateText = card.querySelector("[data-state-text]");
const streams = "streams" in card.dataset;
const source = new EventSource(card.dataset.events);
let received = 0;
let lastTick = 0;

// Written only when it changes: a screen reader says each change.
function show(kind, text) {
  if (stateText.textContent !== text) {
    state.dataset.state = kind;
    stateText.textContent = text;
  }
}

source.addEventListener("tick", (event) => {
  const data = JSON.parse(event.data);
  received += 1;
  lastTick = Date.now();
  card.querySelector("[data-time]").textContent = data.time;
  card.querySelector("[data-date]").textContent = data.date;
  card.querySelector("[data-process]").textContent = data.process;
  if (streams) card.querySelector("[data-viewers]").textContent = data.viewers;
  card.querySelector("[data-count]").textContent = received;
  show("good", streams ? "connected" : "asked each second");
});

source.addEventListener("error", () => {
  if (source.readyState === EventSource.CLOSED) {
    show("bad", "the server refused, load the page again");
  } else if (streams) {
    show("waiting", "reconnecting…");
  }
  // Without a stream each response ends: only a long silence, below, means trouble.
});

setInterval(() => {
  if (lastTick && Date.now() - lastTick > 5000 && source.readyState !== EventSource.CLOSED) {
    show("waiting", "no tick for some seconds…");
  }
}, 1000);
