import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { createLogger } from '../../../src/telemetry/log/logger.ts'
import type { LogLevel } from '../../../src/telemetry/log/tenant-log-levels.ts'
import { FakeClock } from '../../support/fake-clock.ts'

function loggerInto(lines: string[], level: LogLevel) {
  return createLogger({ level, destination: { write: (line) => lines.push(line) } })
}

t.test('a line is one JSON object: level, time, event, then the fields', async (t) => {
  const lines: string[] = []
  const fields = { tenant: 'acme', count: 2, isLate: true, reason: undefined }
  loggerInto(lines, 'info').warn('session refused', fields)
  t.equal(lines.length, 1)
  const [line = ''] = lines
  t.ok(line.endsWith('}\n'))
  const { time, ...rest } = JSON.parse(line)
  t.equal(new Date(time).toISOString(), time)
  t.strictSame(Object.keys(JSON.parse(line)).slice(0, 3), ['level', 'time', 'event'])
  t.strictSame(rest, {
    level: 'warn',
    event: 'session refused',
    tenant: 'acme',
    count: 2,
    isLate: true,
  })
})

t.test('text of a client cannot begin a line of its own', async (t) => {
  const lines: string[] = []
  const hostile = 'x"}\n{"level":"error","event":"forged"}\r\u0000'
  loggerInto(lines, 'info').info('session opened', { login: hostile })
  t.equal(lines.join('').trimEnd().split('\n').length, 1)
  t.equal(JSON.parse(lines.join('')).login, hostile)
})

const WEIGHTS = ['debug', 'info', 'warn', 'error'] as const
const WRITTEN: Readonly<Record<LogLevel, readonly string[]>> = {
  debug: ['debug', 'info', 'warn', 'error'],
  info: ['info', 'warn', 'error'],
  warn: ['warn', 'error'],
  error: ['error'],
  silent: [],
}
for (const level of ['debug', 'info', 'warn', 'error', 'silent'] as const) {
  t.test(`level ${level}, set at the start or later`, async (t) => {
    const lines: string[] = []
    const later = loggerInto(lines, level === 'silent' ? 'debug' : 'silent')
    later.setLevel(level)
    for (const logger of [loggerInto(lines, level), later]) {
      lines.length = 0
      for (const weight of WEIGHTS) logger[weight]('redis up')
      t.strictSame(
        lines.map((line) => JSON.parse(line).level),
        WRITTEN[level],
      )
    }
  })
}

t.test('a line to a file descriptor is there when the call returns', async (t) => {
  const file = join(t.testdir(), 'log')
  const destination = openSync(file, 'w')
  createLogger({ level: 'info', destination }).info('drained')
  t.equal(JSON.parse(readFileSync(file, 'utf8')).event, 'drained')
  closeSync(destination)
})

t.test('a level of one tenant takes the place of the common one, for that tenant', async (t) => {
  const lines: string[] = []
  const clock = new FakeClock()
  const destination = { write: (line: string) => void lines.push(line) }
  const logger = createLogger({ level: 'info', destination, clock })
  const said = () => lines.splice(0).map((line) => JSON.parse(line).event)
  const sayAll = () => {
    logger.debug('session opened', { tenant: 'acme' })
    logger.warn('query timeout', { tenant: 'acme' })
    logger.debug('session closed', { tenant: 'globex' })
    logger.debug('server connection opened')
    return said()
  }
  t.strictSame(sayAll(), ['query timeout'])
  t.equal(logger.isDebugging('acme'), false)

  logger.tenantLevels.set('acme', 'debug', 1000)
  t.strictSame(said(), ['tenant log level set'])
  t.equal(logger.isDebugging('acme'), true)
  t.equal(logger.isDebugging('globex'), false)
  t.strictSame(sayAll(), ['session opened', 'query timeout'])

  logger.tenantLevels.set('acme', 'error', 1000)
  t.strictSame(said(), ['tenant log level set'])
  t.strictSame(sayAll(), [], 'a noisy tenant can be made quiet')

  clock.advance(1000)
  t.strictSame(said(), ['tenant log level ended'])
  t.strictSame(sayAll(), ['query timeout'])
  t.equal(clock.pending, 0)
})

t.test('the common level may change meanwhile', async (t) => {
  const lines: string[] = []
  const logger = loggerInto(lines, 'debug')
  logger.tenantLevels.set('acme', 'warn')
  t.equal(logger.isDebugging('acme'), false)
  t.equal(logger.isDebugging('globex'), true)
  logger.setLevel('error')
  t.equal(logger.isDebugging('globex'), false)
  lines.length = 0
  logger.warn('session ended', { tenant: 'acme' })
  logger.warn('session ended', { tenant: 'globex' })
  t.equal(lines.length, 1)
  t.match(JSON.parse(lines.join('')), { tenant: 'acme' })
})
