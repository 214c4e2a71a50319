// Runs before the first paint, so that a chosen theme does not flash the other one. A file of its
// own because the content security policy allows no inline script.

const chosen = localStorage.getItem("scrimp-theme");
if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
