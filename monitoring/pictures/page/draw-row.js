// Runs in the browser, beside uPlot; draw.ts calls what stands at the end.

const COLOURS = [
  '#3274d9',
  '#e0752d',
  '#299c46',
  '#a352cc',
  '#c4162a',
  '#0a8f9c',
  '#d6a100',
  '#7c2ea3',
  '#6b7280',
  '#96d98d',
  '#f29191',
  '#8ab8ff',
]
const NUMBER_COLOURS = { green: '#299c46', orange: '#e0752d', red: '#c4162a' }
const CHART_HEIGHT = 190
const SPARK_HEIGHT = 50
const FONT = '10px sans-serif'
const BINARY = new Set(['bytes', 'Bps'])
/** Steps of an axis of bytes. */
const POWERS_OF_2 = Array.from({ length: 50 }, (_, power) => 2 ** power)
const GRID = { stroke: '#e6e8ea', width: 1 }

const UNITS = {
  short: (value) => scaled(value, 1000, ['', ' k', ' M', ' G']),
  cps: (value) => `${scaled(value, 1000, ['', ' k', ' M'])}/s`,
  Bps: (value) => `${scaled(value, 1024, [' B', ' KiB', ' MiB', ' GiB'])}/s`,
  bytes: (value) => scaled(value, 1024, [' B', ' KiB', ' MiB', ' GiB']),
  percentunit: (value) => `${rounded(value * 100)} %`,
  s: duration,
}

/** Three digits that count, without zeros at the end. */
function rounded(value) {
  return String(Number(value.toPrecision(3)))
}

function scaled(value, factor, names) {
  let step = 0
  while (Math.abs(value) >= factor && step < names.length - 1) {
    value /= factor
    step += 1
  }
  return `${rounded(value)}${names[step]}`
}

function duration(seconds) {
  if (seconds === 0) return '0 s'
  if (seconds < 0.001) return `${rounded(seconds * 1e6)} µs`
  if (seconds < 1) return `${rounded(seconds * 1000)} ms`
  return seconds < 120 ? `${rounded(seconds)} s` : `${rounded(seconds / 60)} min`
}

function element(name, text, parent) {
  const made = document.createElement(name)
  made.textContent = text
  parent.append(made)
  return made
}

function last(values) {
  return values.findLast((value) => value !== null)
}

function drawNumber(section, panel, times) {
  const [line] = panel.lines
  const value = line === undefined ? undefined : last(line.values)
  const reached = panel.thresholds.filter(({ value: from }) => from === null || from <= value)
  const colour = NUMBER_COLOURS[reached.at(-1)?.color ?? 'green']
  const text = value === undefined ? 'no data' : UNITS[panel.unit](value)
  const shown = element('p', text, section)
  shown.className = 'value'
  shown.style.color = colour
  const options = {
    width: section.clientWidth - 16,
    height: SPARK_HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    axes: [{ show: false }, { show: false }],
    // A line at 0 shall be seen as well.
    scales: { y: { range: (_, __, highest) => around(Math.max(highest ?? 0, panel.max ?? 1)) } },
    series: [{}, { stroke: colour, width: 1, fill: `${colour}33`, points: { show: false } }],
  }
  new uPlot(options, [times, line?.values ?? times.map(() => null)], section)
}

function around(highest) {
  return [-0.05 * highest, highest * 1.05]
}

function drawChart(section, panel, times) {
  const lines = panel.lines.map((line, at) => ({ ...line, colour: COLOURS[at % COLOURS.length] }))
  const drawn = panel.isStacked ? stacked(lines) : lines
  const format = UNITS[panel.unit]
  const options = {
    width: section.clientWidth - 16,
    height: CHART_HEIGHT,
    legend: { show: false },
    cursor: { show: false },
    padding: [8, 16, 0, 0],
    axes: [
      { grid: GRID, ticks: GRID, font: FONT, space: 70, size: 28, values: clockTimes },
      {
        grid: GRID,
        ticks: GRID,
        font: FONT,
        size: 68,
        ...(BINARY.has(panel.unit) ? { incrs: POWERS_OF_2 } : {}),
        values: (_, values) => values.map((value) => (value === null ? '' : format(value))),
      },
    ],
    scales: { y: { range: (_, __, highest) => [0, endOfAxis(highest, panel.max)] } },
    series: [{}, ...drawn.map((line) => seriesOf(line, panel.isStacked))],
  }
  new uPlot(options, [times, ...drawn.map(({ values }) => values)], section)
  const legend = element('ul', '', section)
  for (const { name, colour, values } of lines) {
    const value = last(values)
    const item = element('li', value === undefined ? name : `${name}: ${format(value)}`, legend)
    item.style.setProperty('--colour', colour)
  }
}

/** Room above the highest value; a line at 0 needs some as well. */
function endOfAxis(highest, max) {
  if (max !== undefined) return Math.max(max, highest ?? 0)
  return highest > 0 ? highest * 1.1 : 1
}

function clockTimes(_, values) {
  return values.map((seconds) => new Date(seconds * 1000).toISOString().slice(11, 19))
}

function seriesOf({ colour }, isStacked) {
  return {
    stroke: colour,
    width: 1.5,
    fill: isStacked ? `color-mix(in srgb, ${colour} 45%, white)` : `${colour}14`,
    points: { show: false },
  }
}

/** Each line upon the ones before it; the highest first, so that the lower ones cover it. */
function stacked(lines) {
  const sums = lines[0]?.values.map(() => 0) ?? []
  const piled = lines.map((line) => ({
    ...line,
    values: line.values.map((value, at) => {
      sums[at] += value ?? 0
      return value === null ? null : sums[at]
    }),
  }))
  return piled.reverse()
}

/** Shows one row of the dashboard, in place of what was there. */
globalThis.drawRow = ({ title, times, panels }) => {
  const main = document.querySelector('main')
  main.replaceChildren()
  element('h1', title, main)
  for (const panel of panels) {
    const section = element('section', '', main)
    section.dataset.title = panel.title
    section.style.gridColumn = `span ${panel.place.w}`
    element('h2', panel.title, section)
    if (panel.isNumber) drawNumber(section, panel, times)
    else drawChart(section, panel, times)
  }
}

/** How many colours each panel's drawing has: one is an empty sheet. */
globalThis.countColours = () =>
  Object.fromEntries(
    [...document.querySelectorAll('section')].map((section) => {
      const canvas = section.querySelector('canvas')
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height)
      return [section.dataset.title, new Set(new Uint32Array(data.buffer)).size]
    }),
  )
