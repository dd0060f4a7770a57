import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { TestAuthority } from '../support/certificates.ts'
import { startPostgres } from '../support/postgres.ts'
import {
  createUsers,
  LOCAL_NAMES,
  type Row,
  startTlsPostgres,
  testRow,
  UNBOUND,
  UNVERIFIED,
} from './tls-fixture.ts'

const authority = await TestAuthority.create()
const stranger = await TestAuthority.create('somebody else')
t.teardown(() => Promise.all([authority.remove(), stranger.remove()]))
const own = await authority.issue({ commonName: 'server', altNames: LOCAL_NAMES })
const bothFile = join(authority.folder, 'both.crt')
await writeFile(bothFile, stranger.own.cert + authority.own.cert)
const [byCertificate, withCertificate, unknown] = await Promise.all([
  clientFiles(authority, 'by_certificate'),
  clientFiles(authority, 'with_certificate'),
  clientFiles(stranger, 'by_certificate'),
])

async function clientFiles(from: TestAuthority, commonName: string): Promise<string> {
  const { certFile, keyFile } = await from.issue({ commonName })
  return `sslcert=${certFile}&sslkey=${keyFile}`
}

const WITH_CA = `sslrootcert=${authority.caFile}`

/** On a server that does TLS, with a good certificate. */
const ROWS: readonly Row[] = [
  { user: 'either', parameters: '', expects: 'tls' },
  { user: 'either', parameters: 'sslmode=disable', expects: 'plain' },
  { user: 'either', parameters: 'sslmode=allow', expects: 'plain' },
  { user: 'either', parameters: 'sslmode=prefer', expects: 'tls' },
  { user: 'either', parameters: 'sslmode=require', expects: 'tls' },
  { user: 'either', parameters: `sslmode=verify-ca&${WITH_CA}`, expects: 'tls' },
  { user: 'either', parameters: `sslmode=verify-full&${WITH_CA}`, expects: 'tls' },
  { user: 'either', parameters: `sslmode=verify-full&sslrootcert=${bothFile}`, expects: 'tls' },

  { user: 'only_tls', parameters: 'sslmode=disable', expects: /28000/ },
  { user: 'only_tls', parameters: 'sslmode=allow', expects: 'tls' },
  { user: 'only_tls', parameters: 'sslmode=prefer', expects: 'tls' },
  { user: 'only_plain', parameters: 'sslmode=allow', expects: 'plain' },
  { user: 'only_plain', parameters: 'sslmode=prefer', expects: 'plain' },
  { user: 'only_plain', parameters: 'sslmode=require', expects: /28000/ },

  {
    user: 'either',
    parameters: `sslmode=verify-ca&sslrootcert=${stranger.caFile}`,
    expects: UNVERIFIED,
  },
  {
    user: 'either',
    parameters: `sslmode=verify-full&sslrootcert=${stranger.caFile}`,
    expects: UNVERIFIED,
  },
  { user: 'either', parameters: 'sslmode=verify-full', expects: UNVERIFIED },
  { user: 'either', parameters: 'sslrootcert=system', expects: UNVERIFIED },
  // As libpq: authorities that are named are asked in every mode.
  {
    user: 'either',
    parameters: `sslmode=require&sslrootcert=${stranger.caFile}`,
    expects: UNVERIFIED,
  },
  { user: 'either', parameters: `sslmode=prefer&sslrootcert=${stranger.caFile}`, expects: 'plain' },
  {
    user: 'only_tls',
    parameters: `sslmode=allow&sslrootcert=${stranger.caFile}`,
    expects: UNVERIFIED,
  },

  {
    user: 'either',
    host: 'localhost',
    parameters: `sslmode=verify-full&${WITH_CA}`,
    expects: 'tls',
  },
  {
    user: 'either',
    host: 'localhost',
    parameters: `sslmode=verify-full&${WITH_CA}&sslsni=0`,
    expects: 'tls',
  },

  {
    user: 'by_certificate',
    parameters: `sslmode=require&${byCertificate}`,
    expects: 'tls',
  },
  { user: 'by_certificate', parameters: 'sslmode=require', expects: /certificate/ },
  {
    user: 'by_certificate',
    parameters: `sslmode=require&${withCertificate}`,
    expects: /28000/,
  },
  {
    user: 'by_certificate',
    parameters: `sslmode=require&${unknown}`,
    expects: /unknown ca/,
  },
  {
    user: 'with_certificate',
    parameters: `sslmode=require&channel_binding=require&${withCertificate}`,
    expects: 'tls',
  },

  { user: 'either', parameters: 'sslmode=require&channel_binding=require', expects: 'tls' },
  { user: 'either', parameters: 'sslmode=require&channel_binding=disable', expects: 'tls' },
  { user: 'either', parameters: 'sslmode=allow&channel_binding=require', expects: UNBOUND },
  { user: 'only_plain', parameters: 'channel_binding=require', expects: UNBOUND },
  { user: 'trusted', parameters: 'channel_binding=require', expects: UNBOUND },
  { user: 'clear', parameters: 'channel_binding=require', expects: UNBOUND },
  { user: 'clear', parameters: 'sslmode=require', expects: 'tls' },
  { user: 'trusted', parameters: 'sslmode=require', expects: 'tls' },
]

for (const major of [15, 18] as const) {
  t.test(`Postgres ${major}`, async (t) => {
    const postgres = await startTlsPostgres(t, major, { own, clients: authority.own })
    for (const row of ROWS) await testRow(t, postgres, row)
    await testRow(t, postgres, {
      user: 'either',
      parameters: `sslmode=verify-full&${WITH_CA}&sslnegotiation=direct`,
      // Older ones take it for a startup packet of a strange length, and hang up.
      expects: major === 18 ? 'tls' : /closed|disconnected|reset/i,
    })
  })

  t.test(`Postgres ${major} without TLS`, async (t) => {
    const postgres = await startPostgres({ major, auth: 'scram-sha-256' })
    t.teardown(() => postgres.stop())
    await createUsers(postgres)
    for (const [parameters, expects] of [
      ['sslmode=disable', 'plain'],
      ['sslmode=allow', 'plain'],
      ['sslmode=prefer', 'plain'],
      ['sslmode=require', /it does no TLS/],
      [`sslmode=verify-ca&${WITH_CA}`, /it does no TLS/],
      [`sslmode=verify-full&${WITH_CA}`, /it does no TLS/],
      ['channel_binding=require', UNBOUND],
    ] as const) {
      await testRow(t, postgres, { user: 'either', parameters, expects })
    }
  })
}
