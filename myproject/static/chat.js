// The chat: one WebSocket, which is opened again when it is lost. What others wrote reaches the
// page as text, never as HTML.
"use strict";

const card = document.querySelector("[data-chat]");
const state = card.querySelector(".state");
const stateText = card.querySelector("[data-state-text]");
const log = card.querySelector("[data-log]");
const form = card.querySelector("[data-say]");
const button = form.querySelector("button");
const error = card.querySelector("[data-error]");
const KEPT = 200; // messages on the page
const LONGEST_WAIT = 15000; // milliseconds between two attempts to connect
let socket;
let attempts = 0;

function show(kind, text) {
  state.dataset.state = kind;
  stateText.textContent = text;
}

function add(message) {
  const item = document.createElement("li");
  const who = document.createElement("span");
  const text = document.createElement("div");
  const time = document.createElement("time");
  time.dateTime = message.time;
  time.textContent = new Date(message.time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  who.className = "who";
  who.append(message.own ? "You" : message.name, " · ", time);
  text.textContent = message.text;
  item.classList.toggle("own", message.own);
  item.append(who, text);
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
  log.append(item);
  while (log.children.length > KEPT) log.firstElementChild.remove();
  card.querySelector("[data-empty]").hidden = true;
  // Whoever reads further up is not pulled away from it.
  if (atEnd || message.own) log.scrollTop = log.scrollHeight;
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}${card.dataset.chat}`);

  socket.addEventListener("message", (event) => {
    const message = JSON.parse(event.data);
    if (message.type === "welcome") {
      attempts = 0;
      button.disabled = false;
      card.querySelector("[data-name]").textContent = message.name;
      show("good", `connected to process ${message.process}`);
    } else if (message.type === "message") {
      add(message);
    } else if (message.type === "refused") {
      error.textContent = message.reason;
    }
  });

  socket.addEventListener("close", () => {
    button.disabled = true;
    // Longer each time, and not the same for everybody: a server that comes back is not
    // met by all its visitors at once.
    const wait = Math.min(LONGEST_WAIT, 500 * 2 ** attempts) * (0.5 + Math.random() / 2);
    attempts += 1;
    show(attempts > 3 ? "bad" : "waiting", "not connected, trying again…");
    setTimeout(connect, wait);
  });
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  error.textContent = "";
  const text = form.elements.text.value.trim();
  // What cannot be sent stays in the field.
  if (!text || socket.readyState !== WebSocket.OPEN) return;
  socket.send(JSON.stringify({ text }));
  form.elements.text.value = "";
});

connect();
