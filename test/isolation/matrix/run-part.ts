import { type MatrixPart, runPart } from './matrix-part.ts'

const [major, part] = process.argv.slice(2)
const wanted: MatrixPart = JSON.parse(part ?? '{}')
const report = await runPart(major === '15' ? 15 : 18, wanted)
process.stdout.write(`${JSON.stringify(report)}\n`)
