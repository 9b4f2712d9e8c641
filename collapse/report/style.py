"""How the page looks: system fonts, one column, and tables that print."""

CSS = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  color: #222; background: #fff; max-width: 60rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 .3rem; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.6rem 0 .7rem; padding-top: .8rem; border-top: 1px solid #ddd; }
h3 { font-size: 1rem; margin: 1.5rem 0 .4rem; }
p { margin: .6rem 0; }
a { color: #0a4f8f; }
nav { margin: 1rem 0 0; font-size: .92rem; }
nav a { margin-right: 1rem; white-space: nowrap; }
.lead { color: #555; }
.verdict { background: #f6f6f3; border-left: 4px solid #555; padding: .5rem 1.1rem; margin: 1.2rem 0; }
.note, figcaption, .small { color: #555; font-size: .88rem; }
figure { margin: 1.2rem 0 2rem; }
figure img { width: 100%; height: auto; display: block; }
.wide { overflow-x: auto; margin: .9rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .6rem; border-bottom: 1px solid #e4e4e4;
  overflow-wrap: break-word; }
th { font-weight: 600; border-bottom: 2px solid #bbb; }
.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
th.number { white-space: normal; }
.yes { color: #a33d00; font-weight: 700; }
.no { color: #00604a; }
.open { color: #777; }
.samples { table-layout: fixed; min-width: 44rem; }
.samples td { font-size: .8rem; line-height: 1.4; white-space: pre-wrap; overflow-wrap: anywhere; }
.samples td:first-child, .samples th:first-child { width: 9.5rem; white-space: normal; font-size: .85rem; }
blockquote { margin: .5rem 0; padding: .2rem .9rem; border-left: 3px solid #ccc; font-size: .85rem;
  white-space: pre-wrap; overflow-wrap: anywhere; }
details { margin: .5rem 0; }
summary { cursor: pointer; }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  nav { display: none; }
  figure, tr, .verdict { break-inside: avoid; }
  h2, h3 { break-after: avoid; }
  .wide { overflow: visible; }
  table, .samples td { font-size: 8pt; }
  details::details-content { content-visibility: visible; block-size: auto; }
}
"""
