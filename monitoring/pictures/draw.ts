import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium, type Page } from 'playwright-core'
import type { FilledRow } from './gather.ts'

/** A row of the dashboard as a picture. */
export interface Picture {
  readonly title: string
  readonly png: Buffer
  /** How many colours each panel's drawing has, by the panel's title. */
  readonly colours: Readonly<Record<string, number>>
}

/** Of Debian's package. */
const CHROMIUM = '/usr/bin/chromium'
/** A program that looks at nothing but what it is given. */
const CHROMIUM_OPTIONS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
]
const PAGE = fileURLToPath(new URL('../../../monitoring/pictures/page/', import.meta.url))
const UPLOT = dirname(createRequire(import.meta.url).resolve('uplot'))
const WIDTH = 1280
const HEIGHT = 800

/**
 * Draws each row in a browser.
 *
 * @throws Error - there is no Chromium, or its page met an error.
 */
export async function drawRows(rows: readonly FilledRow[]): Promise<readonly Picture[]> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: CHROMIUM_OPTIONS })
  try {
    const page = await browser.newPage({ viewport: { width: WIDTH, height: HEIGHT } })
    const faults: string[] = []
    page.on('pageerror', (error) => faults.push(error.message))
    page.on('console', (message) => {
      if (message.type() === 'error') faults.push(message.text())
    })
    await open(page)
    const pictures: Picture[] = []
    for (const row of rows) {
      if (faults.length === 0) pictures.push(await drawRow(page, row))
    }
    if (faults.length > 0) throw new Error(`the page failed: ${faults.join('; ')}`)
    return pictures
  } finally {
    await browser.close()
  }
}

async function open(page: Page): Promise<void> {
  await page.setContent(readFileSync(join(PAGE, 'page.html'), 'utf8'))
  await page.addStyleTag({ path: join(UPLOT, 'uPlot.min.css') })
  await page.addStyleTag({ path: join(PAGE, 'page.css') })
  await page.addScriptTag({ path: join(UPLOT, 'uPlot.iife.min.js') })
  await page.addScriptTag({ path: join(PAGE, 'draw-row.js') })
}

async function drawRow(page: Page, row: FilledRow): Promise<Picture> {
  // What runs there is no code of this program, so it is called by its text.
  await page.evaluate(`drawRow(${JSON.stringify(row)})`)
  const colours = await page.evaluate<Record<string, number>>('countColours()')
  const png = await page.locator('main').screenshot()
  return { title: row.title, png, colours }
}
