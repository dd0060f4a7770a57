import t from 'tap'
import { type LogFields, silentLogger } from '../../src/base/logger.ts'
import type { Admission } from '../../src/session/admission.ts'
import { SessionLog } from '../../src/session/session-log.ts'
import type { SessionObserver } from '../../src/session/session-observer.ts'
import { StatementGuard } from '../../src/session/statement-guard.ts'
import { scanStatements } from '../../src/sql/scan/statement-scan.ts'
import type { IsolationLevel } from '../../src/tenancy/isolation.ts'
import { buildLink } from '../../src/tenancy/link.ts'
import { readErrorFields } from '../../src/wire/message-fields.ts'
import { admissionOf } from './admission-fixture.ts'

const HEAD_BYTES = 5

/** A client of acme, whose tenant's level may change. */
function rig(level: IsolationLevel) {
  const told: string[] = []
  const logged: LogFields[] = []
  const client = { admission: at(level) }
  const observer = {
    guardRefused: (tenant: string, reason: string) => void told.push(`${tenant} ${reason}`),
  }
  const logger = {
    ...silentLogger,
    warn: (_event: string, fields: LogFields = {}) => void logged.push(fields),
  }
  const parts = { observer: observer as unknown as SessionObserver }
  const log = new SessionLog(client.admission, logger, undefined)
  const guard = new StatementGuard(() => client.admission, parts, log)
  return { client, guard, told, logged }
}

function at(isolation: IsolationLevel): Admission {
  const { route: base, ...rest } = admissionOf()
  const route = { ...base, tenant: 'acme', login: 'app', version: 1, isolation, role: undefined }
  return { ...rest, id: 7, route, link: buildLink(route, []) } as Admission
}

function effectsOf(sql: string) {
  const bytes = Buffer.from(sql)
  const dialect = { backslashEscapes: false, hasUnsafeBytes: false }
  const effects = scanStatements({ bytes, start: 0, end: bytes.length }, dialect)
  if (effects === undefined) throw new Error(`nothing in ${sql}`)
  return effects
}

function fieldsOf(error: Buffer | undefined) {
  return readErrorFields(error?.subarray(HEAD_BYTES) ?? Buffer.alloc(0))
}

const TEXTS = [
  { sql: 'SET search_path = x', told: /"search_path"/, hint: /^Name schemas/ },
  { sql: 'SET App.Tenant_Id = x', told: /"app\.tenant_id"/, hint: /sets app\.tenant_id for/ },
  { sql: 'SET ROLE x', told: /"role"/, hint: /leave it out/ },
  { sql: 'SET SESSION AUTHORIZATION x', told: /"session_authorization"/, hint: /leave it out/ },
  { sql: 'SELECT set_config($1, $2, $3)', told: /parameter whose name/, hint: /as a literal/ },
  { sql: 'ALTER SYSTEM RESET ALL', told: /tenants share/, hint: /connection of their owner/ },
  { sql: 'SELECT U&"!0061" UESCAPE E\'!\' (1)', told: /cannot be read/, hint: /UESCAPE/ },
]

t.test('each reason has its words, its count, and a line of the log', async (t) => {
  const { guard, told, logged } = rig('guarded')
  for (const { sql, told: words, hint } of TEXTS) {
    const fields = fieldsOf(guard.refusal(effectsOf(sql)))
    t.equal(fields.get('C'), '42501', sql)
    t.equal(fields.get('S'), 'ERROR', sql)
    t.match(fields.get('M'), words)
    t.match(fields.get('H'), hint)
    t.match(fields.get('H'), /isolation\.level to convenience/)
  }
  t.equal(new Set(told).size, TEXTS.length)
  t.match(logged[0], {
    session: 7,
    tenant: 'acme',
    login: 'app',
    code: 'GUARD_REFUSED',
    reason: 'search_path',
  })
  t.equal(logged.length, TEXTS.length)
})

t.test('what is tried again is counted again, but logged once', async (t) => {
  const { guard, told, logged } = rig('sealed')
  for (let count = 0; count < 5; count += 1) guard.refusal(effectsOf('SET ROLE x'))
  guard.refusal(effectsOf('SET ROLE y'))
  t.strictSame(told, new Array(6).fill('acme role'))
  t.equal(logged.length, 1)
})

t.test('the level of the moment counts', async (t) => {
  const { client, guard } = rig('convenience')
  const effects = effectsOf('SET ROLE x')
  t.equal(guard.isNeeded, false)
  t.equal(guard.refusal(effects), undefined)
  client.admission = at('guarded')
  t.equal(guard.isNeeded, true)
  t.ok(guard.refusal(effects))
  t.equal(guard.refusal(effectsOf('LISTEN x')), undefined)
  client.admission = at('convenience')
  t.equal(guard.refusal(effects), undefined)
})
