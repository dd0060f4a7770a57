import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Cleanups } from './cleanups.ts'
import { drawRows } from './draw.ts'
import { observe } from './observe.ts'

const IMAGES = fileURLToPath(new URL('../../../docs/images/', import.meta.url))
const SECONDS = 180

process.exitCode = await takePictures()

/** Writes a picture of each row to docs/images/. */
async function takePictures(): Promise<number> {
  const cleanups = new Cleanups()
  try {
    const rows = await observe(cleanups, { seconds: SECONDS, intervalMs: 2000 })
    mkdirSync(IMAGES, { recursive: true })
    for (const { title, png } of await drawRows(rows)) {
      const file = join(IMAGES, `dashboard-${slug(title)}.png`)
      writeFileSync(file, png)
      console.log(`${file}: ${Math.round(png.length / 1024)} KiB`)
    }
    return 0
  } finally {
    await cleanups.run()
  }
}

/** `Queries and transactions` becomes `queries-and-transactions`. */
function slug(title: string): string {
  return title.toLowerCase().replaceAll(/\W+/g, '-')
}
