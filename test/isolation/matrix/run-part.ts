import { type MatrixPart, runPart } from './matrix-part.ts'

/** The superuser's URL of a server of `startTownServer`, and the part in JSON. */
const [superuserUrl = '', part = '{}'] = process.argv.slice(2)
const wanted: MatrixPart = JSON.parse(part)
const report = await runPart({ url: addressOf }, wanted)
process.stdout.write(`${JSON.stringify(report)}\n`)

function addressOf(database: string, login: { user?: string; password?: string } = {}): string {
  const url = new URL(superuserUrl)
  url.pathname = `/${database}`
  if (login.user !== undefined) {
    url.username = login.user
    url.password = login.password ?? ''
  }
  return url.href
}
