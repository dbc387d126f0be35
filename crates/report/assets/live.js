"use strict";
(() => {
  const source = new EventSource("events");
  source.onmessage = (event) => {
    const next = JSON.parse(event.data);
    document.querySelector("main").innerHTML = next.main;
    window.burnrec.replace(next.charts);
  };
})();
