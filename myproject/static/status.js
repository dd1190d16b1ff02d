// Asks again and again who answers, and shows it. Rests while the page is hidden.
"use strict";

const card = document.querySelector("[data-status]");
const state = card.querySelector(".state");
const stateText = card.querySelector("[data-state-text]");
const answers = new Map();

// Written only when it changes: a screen reader says each change.
function show(kind, text) {
  if (stateText.textContent !== text) {
    state.dataset.state = kind;
    stateText.textContent = text;
  }
}

function count(process) {
  answers.set(process, (answers.get(process) ?? 0) + 1);
  const list = card.querySelector("[data-tally]");
  list.replaceChildren(...[...answers].map(([id, times]) => {
    const item = document.createElement("li");
    item.textContent = `${id}: ${times}`;
    return item;
  }));
  list.parentElement.hidden = false;
}

async function refresh() {
  if (!document.hidden) {
    try {
      const response = await fetch(card.dataset.status, {
        cache: "no-store",
        signal: AbortSignal.timeout(5000),
      });
      if (!response.ok) throw new Error(`status ${response.status}`);
      const answer = await response.json();
      for (const field of card.querySelectorAll("[data-field]")) {
        field.textContent = answer[field.dataset.field] ?? "none";
      }
      count(answer.process);
      show("good", "live");
    } catch {
      show("bad", "no answer, trying again");
    }
  }
  setTimeout(refresh, 2000);
}

refresh();
