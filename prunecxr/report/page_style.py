"""The page's style sheet: one column on a phone, two figures abreast on a screen, all of every table on paper."""

STYLE = """
:root { color-scheme: light; --ink: #1c2733; --quiet: #5b6875; --line: #dfe4ea; --accent: #0072b2; --warn: #d55e00; }
* { box-sizing: border-box; }
body { margin: 0; color: var(--ink); background: #fff;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", sans-serif; }
header, main { max-width: 1120px; margin: 0 auto; padding: 0 20px; }
header { padding-top: 32px; }
.kind { margin: 0; color: var(--accent); font-weight: 600; font-size: 14px; letter-spacing: .02em; }
h1 { margin: 0 0 8px; font-size: 30px; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 44px 0 14px; padding-bottom: 6px; border-bottom: 1px solid var(--line); font-size: 21px;
  line-height: 1.3; }
h3 { margin: 0 0 4px; font-size: 16px; line-height: 1.35; }
nav a { display: inline-block; padding: 4px 14px 4px 0; color: var(--accent); text-decoration: none; font-size: 15px; }
nav a:hover { text-decoration: underline; }
p { margin: 0 0 10px; }
.quiet { color: var(--quiet); }
.answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 320px), 1fr)); gap: 22px 32px;
  margin-top: 20px; padding: 22px 24px; background: #f3f7fa; border-radius: 8px; }
.answers h2 { margin: 0 0 4px; padding: 0; border: 0; color: var(--accent); font-size: 14px; font-weight: 600; }
.answers p { margin: 0 0 6px; font-size: 14px; overflow-wrap: anywhere; }
.answers strong { font-size: 17px; line-height: 1.35; }
.warnings { margin: 0; padding: 12px 20px 12px 36px; border-left: 4px solid var(--warn); background: #fdf4ee;
  overflow-wrap: anywhere; }
.warnings li + li { margin-top: 6px; }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 440px), 1fr)); gap: 34px 40px;
  align-items: start; }
.figures + h3 { margin-top: 36px; }
#figures > h3 { margin-bottom: 10px; font-size: 18px; }
figure { margin: 0; break-inside: avoid; }
figure img { display: block; width: 100%; height: auto; }
figcaption { margin-top: 6px; color: var(--quiet); font-size: 14px; overflow-wrap: anywhere; }
figcaption strong { color: var(--ink); }
.gallery { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 230px), 1fr)); gap: 30px 28px; }
.card { break-inside: avoid; min-width: 0; font-size: 13px; line-height: 1.4; }
.card img, .card .missing { width: 100%; aspect-ratio: 1; object-fit: contain; background: #10151a;
  border-radius: 4px; }
.card .missing { display: grid; place-items: center; padding: 12px; background: #eef1f4; color: var(--quiet);
  text-align: center; }
.card .id { margin: 6px 0 2px; color: var(--quiet); font-size: 12px; overflow-wrap: anywhere; }
.card table { width: 100%; font-size: 12px; }
.card th, .card td { padding: 2px 0 2px 8px; border: 0; background: none; vertical-align: top; }
.card th { color: var(--quiet); font-weight: 400; }
.card td:first-child { position: relative; padding-left: 13px; color: var(--quiet); text-align: left;
  white-space: normal; overflow-wrap: break-word; }
.card .labelled td { color: var(--ink); font-weight: 600; }
.card .labelled td:first-child::before { content: "●"; position: absolute; left: 0; color: var(--warn); }
dt { color: var(--quiet); }
dd { margin: 0; }
.table { max-height: 26rem; margin-bottom: 6px; overflow: auto; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; font-size: 13px; line-height: 1.35; font-variant-numeric: tabular-nums; }
th, td { padding: 5px 12px; border-bottom: 1px solid var(--line); text-align: right; white-space: nowrap; }
th { position: sticky; top: 0; background: #f3f7fa; font-weight: 600; }
.tables td:first-child { position: sticky; left: 0; background: #fff; }
th.text, td.text { text-align: left; }
.tables h3 { margin-top: 26px; }
.tables p { font-size: 14px; }
.provenance { display: grid; grid-template-columns: minmax(90px, max-content) 1fr; gap: 4px 20px; margin: 0 0 48px; }
.provenance dd { overflow-wrap: anywhere; }
@media (max-width: 520px) {
  header, main { padding: 0 14px; }
  header { padding-top: 20px; }
  h1 { font-size: 25px; }
  .answers { margin-left: -14px; margin-right: -14px; padding: 18px 14px; border-radius: 0; }
  .gallery { grid-template-columns: 1fr; gap: 22px; }
  .card { display: grid; grid-template-columns: 36% 1fr; gap: 12px; align-items: start; }
  .card .id { margin-top: 0; }
}
@media print {
  @page { margin: 14mm; }
  body { font-size: 11pt; }
  nav { display: none; }
  header, main { max-width: none; padding: 0; }
  .answers, .warnings { background: none; border: 1px solid var(--line); }
  .figures { grid-template-columns: 1fr 1fr; gap: 18px; }
  .gallery { grid-template-columns: repeat(3, 1fr); }
  .table { max-height: none; overflow: visible; border: 0; }
  .answers { grid-template-columns: 1fr 1fr; gap: 12px 24px; padding: 14px; }
  .tables table { font-size: 6.5pt; }
  .tables th, .tables td, .tables td:first-child { position: static; padding: 2px 4px; }
  .tables th, .tables td.text { white-space: normal; }
  h2, h3 { break-after: avoid; }
}
"""
