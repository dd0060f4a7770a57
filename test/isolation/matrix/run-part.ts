import { type MatrixPart, runParts } from './matrix-part.ts'

const [major, parts] = process.argv.slice(2)
const wanted: readonly MatrixPart[] = JSON.parse(parts ?? '[]')
const reports = await runParts(major === '15' ? 15 : 18, wanted)
process.stdout.write(`${JSON.stringify(reports)}\n`)
