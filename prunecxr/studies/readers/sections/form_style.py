"""The style of a reader's form: the image beside the questions on a screen, above them on a phone."""

STYLE = """
:root { color-scheme: light; --ink: #1c2733; --quiet: #5b6875; --line: #cfd6dd; --accent: #0072b2; --soft: #e8f2f9;
  --warn: #d55e00; }
* { box-sizing: border-box; }
[hidden] { display: none !important; }
body { margin: 0; color: var(--ink); background: #fff;
  font: 16px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif; }
header { position: sticky; top: 0; z-index: 2; background: #fff; border-bottom: 1px solid var(--line); }
.bar { display: flex; align-items: center; gap: 16px; padding: 10px 20px; }
.bar p { margin: 0; }
.who { font-weight: 600; white-space: nowrap; }
.who span, #done { color: var(--quiet); font-weight: 400; font-size: 15px; white-space: nowrap; }
progress { flex: 1; min-width: 40px; height: 10px; appearance: none; border: 0; border-radius: 5px; overflow: hidden;
  background: var(--line); color: var(--accent); }
progress::-webkit-progress-bar { background: var(--line); }
progress::-webkit-progress-value { background: var(--accent); }
progress::-moz-progress-bar { background: var(--accent); }
#notice { margin: 0; padding: 8px 20px; background: var(--soft); font-size: 15px; overflow-wrap: anywhere; }
main { display: grid; grid-template-columns: minmax(0, 1fr) 420px; gap: 28px; max-width: 1500px; margin: 0 auto;
  padding: 18px 20px 32px; align-items: start; }
.picture { position: sticky; top: 72px; }
#frame { display: grid; place-items: center; height: calc(100vh - 130px); min-height: 260px; overflow: hidden;
  background: #0b0e11; border-radius: 6px; }
#frame img { width: 100%; height: 100%; min-height: 0; object-fit: contain; cursor: zoom-in; }
#frame.full { display: block; overflow: auto; }
#frame.full img { width: auto; height: auto; max-width: none; cursor: zoom-out; }
.tools { display: flex; justify-content: space-between; align-items: center; padding-top: 6px; color: var(--quiet);
  font-size: 14px; }
h1 { margin: 0; font-size: 19px; text-align: center; }
h2 { margin: 0; font-size: 14px; font-weight: 600; color: var(--quiet); }
.where { display: grid; grid-template-columns: 1fr auto 1fr; gap: 10px; align-items: center; }
.where button:last-child { justify-self: end; }
.where button:first-child { justify-self: start; }
.given { margin: 16px 0 4px; }
#labels { display: flex; flex-wrap: wrap; gap: 6px; margin: 6px 0 0; padding: 0; list-style: none; }
#labels li { padding: 3px 12px; border: 1px solid var(--line); border-radius: 14px; background: #f4f6f8;
  font-weight: 600; overflow-wrap: anywhere; }
fieldset { min-width: 0; margin: 12px 0 0; padding: 10px 12px 12px; border: 1px solid var(--line); border-radius: 8px; }
fieldset.marked { border-color: var(--accent); box-shadow: inset 4px 0 0 var(--accent); }
legend { float: left; width: 100%; margin: 0 0 8px; padding: 0; font-weight: 600; }
.options { clear: both; display: flex; gap: 8px; }
.options label { flex: 1; position: relative; }
.options input { position: absolute; inset: 0; width: 100%; height: 100%; margin: 0; opacity: 0; cursor: pointer; }
.options span { display: block; padding: 10px 4px; border: 1px solid #8794a1; border-radius: 6px; text-align: center; }
.options input:checked + span { background: var(--accent); border-color: var(--accent); color: #fff; font-weight: 600; }
.options input:hover:not(:checked) + span { background: var(--soft); }
.options input:focus-visible + span, button:focus-visible, summary:focus-visible { outline: 3px solid var(--warn);
  outline-offset: 2px; }
.ends { display: flex; justify-content: space-between; padding-top: 5px; color: var(--quiet); font-size: 14px; }
button { padding: 8px 12px; border: 1px solid #8794a1; border-radius: 6px; background: #fff; color: var(--ink);
  font: inherit; cursor: pointer; }
button:hover:not(:disabled) { background: var(--soft); }
button:disabled { opacity: .4; cursor: default; }
button.primary { border-color: var(--accent); background: var(--accent); color: #fff; font-weight: 600;
  white-space: nowrap; }
button.primary:hover { background: #005a8e; }
.tools button { padding: 4px 10px; font-size: 14px; }
.tools button[aria-pressed=true] { background: var(--soft); border-color: var(--accent); }
kbd { padding: 0 5px; border: 1px solid currentColor; border-radius: 4px; font: 12px/1.4 ui-monospace, monospace;
  opacity: .75; }
nav { margin-top: 16px; }
#open { width: 100%; }
#overview { display: grid; grid-template-columns: repeat(auto-fill, minmax(36px, 1fr)); gap: 5px; margin: 10px 0 0;
  padding: 0; list-style: none; }
#overview button { width: 100%; min-height: 32px; padding: 3px 0; font-size: 14px; font-variant-numeric: tabular-nums; }
#overview .answered { background: #dbe9f3; border-color: #7fb1d4; }
#overview .begun { border-style: dashed; border-color: var(--warn); }
#overview [aria-current] { outline: 2px solid var(--ink); outline-offset: 1px; font-weight: 700; }
details { margin-top: 16px; color: var(--quiet); font-size: 14px; }
summary { cursor: pointer; }
details p { margin: 8px 0 0; }
@media (max-width: 860px) {
  main { grid-template-columns: minmax(0, 1fr); gap: 10px; padding: 10px 14px 28px; }
  .picture { position: static; }
  #frame { height: min(92vw, 52vh); }
  .bar { flex-wrap: wrap; gap: 4px 12px; padding: 8px 14px; }
  .bar progress { order: 4; flex-basis: 100%; height: 8px; }
  .bar #done { flex: 1; }
  .bar .primary { padding: 6px 12px; }
  .who span, .where button span, #save span { display: none; }
  .where button { min-width: 64px; }
  #notice { padding: 6px 14px; }
}
@media (pointer: coarse) { .options span { padding: 12px 4px; } #overview button { min-height: 40px; }
  #overview { grid-template-columns: repeat(auto-fill, minmax(42px, 1fr)); } kbd { display: none; } }
"""
