// Arrow keys go through the choices of a group, as everywhere else: Gradio gives each its own name.
document.addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  const group = step && event.target.matches?.("input[type=radio]") && event.target.closest(".block");
  if (!group) return;
  const all = [...group.querySelectorAll("input[type=radio]")];
  const next = all[(all.indexOf(event.target) + step + all.length) % all.length];
  event.preventDefault();
  next.focus();
  next.click();
});
