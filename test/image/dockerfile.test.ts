import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { validate } from 'dockerfile-utils'
import t from 'tap'
import { readInstructions } from '../support/dockerfile.ts'

const ROOT = join(import.meta.dirname, '../../..')
const text = readFileSync(join(ROOT, 'Dockerfile'), 'utf8')
const instructions = readInstructions(text)
const restOf = (wanted: string) =>
  instructions.filter(({ name }) => name === wanted).map(({ rest }) => rest)

t.test('the linter finds nothing, and would', async (t) => {
  t.strictSame(validate(text), [])
  for (const fault of ['RUNN true', 'EXPOSE sixty', 'CMD']) {
    t.not(validate(`${text}\n${fault}\n`).length, 0, fault)
  }
})

t.test('the process is pgusher itself, and nobody in particular', async (t) => {
  for (const name of ['ENTRYPOINT', 'CMD']) t.ok(Array.isArray(JSON.parse(restOf(name)[0] ?? '')))
  t.strictSame(restOf('STOPSIGNAL'), ['SIGTERM'])
  const last = instructions.findLastIndex(({ name }) => name === 'FROM')
  const users = instructions.slice(last).filter(({ name }) => name === 'USER')
  t.strictSame(users, [{ name: 'USER', rest: '65532:65532' }])
  const [first] = readFileSync(join(ROOT, 'src/main.ts'), 'utf8').split('\n')
  t.equal(first, '#!/usr/bin/env -S node --max-semi-space-size=4', 'what ENTRYPOINT leads to')
})

t.test('the base is one argument, for a digest', async (t) => {
  const [image = ''] = restOf('ARG')
  t.match(image, /^NODE_IMAGE=node:24-\w+-slim$/)
  for (const base of restOf('FROM')) t.match(base, /^\$\{NODE_IMAGE\}/)
})

t.test('what is exposed are the ports by default', async (t) => {
  const page = readFileSync(join(ROOT, 'docs/config.md'), 'utf8')
  const defaults = ['listen', 'admin'].map(
    (group) => new RegExp(`\\| \`${group}\\.port\` \\|.*?\\| \`(\\d+)\` \\|`).exec(page)?.[1],
  )
  t.strictSame(restOf('EXPOSE'), [defaults.join(' ')])
})
