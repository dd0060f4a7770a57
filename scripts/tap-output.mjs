/** A comment such as `# 1024 cases, …`. */
const CASES = /^# \d+ (?:\w+ )*cases\b/

/** Reads tap's own output line by line: prints each file's result and, in full, what failed. */
export class TapOutput {
  /** From tap's closing line; undefined until it has come. */
  counts
  #failure
  #path = []

  /** @param line - Without its newline. */
  read(line) {
    if (this.#failure) return this.#readFailure(line)
    const [, indent, text] = line.match(/^( *)(.*)$/)
    const depth = indent.length / 4
    const subtest = text.match(/^# Subtest: (.*)$/)
    if (subtest) this.#path = [...this.#path.slice(0, depth), subtest[1]]
    else if (CASES.test(text)) this.#printCases(depth, text)
    else if (text.startsWith('not ok ')) this.#failure = { indent, text, depth, details: [] }
    else if (depth === 0) this.#readTop(line)
  }

  /** How many cases a generated test had: its one assertion does not tell. */
  #printCases(depth, text) {
    const name = this.#path.slice(0, depth).join(' > ')
    console.log(`  ${name}: ${text.slice('# '.length)}`)
  }

  /** The closing line, in the words of the project's CI; skipped and todo tests are neither. */
  summary() {
    const { pass = 0, fail = 0 } = this.counts ?? {}
    return `${pass} passed, ${fail} failed`
  }

  #readTop(line) {
    const closing = line.match(/^# (\{ total: .* \})$/)
    if (closing) this.counts = parseCounts(closing[1])
    else if (/^(ok |Bail out!)/.test(line)) console.log(line)
  }

  #readFailure(line) {
    const failure = this.#failure
    const isDetail = failure.details.length > 0 || line === `${failure.indent}  ---`
    if (isDetail) failure.details.push(line)
    if (isDetail && line !== `${failure.indent}  ...`) return
    this.#failure = undefined
    this.#printFailure(failure)
    if (!isDetail) this.read(line)
  }

  /** A parent fails because of its children, which have been printed; its own place says little. */
  #printFailure({ text, depth, details }) {
    const isParent = this.#path.length > depth
    const name = text.replace(/^not ok \d+ (- )?/, '').replace(/ # time=.*$/, '')
    const where = [...this.#path.slice(0, depth), name].join(' > ')
    if (/ # (TODO|SKIP)\b/.test(text)) return
    if (isParent && depth > 0) this.#path = this.#path.slice(0, depth)
    console.log(depth === 0 ? text : `  failed: ${where}`)
    if (!isParent || depth === 0)
      for (const line of details) console.log(`    ${line.trimStart() && line}`)
  }
}

function parseCounts(text) {
  const pairs = [...text.matchAll(/(\w+): (\d+)/g)].map(([, name, count]) => [name, Number(count)])
  return Object.fromEntries(pairs)
}
