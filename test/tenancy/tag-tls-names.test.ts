import t from 'tap'
import { readClaim, type TagOptions, type TlsNames } from '../../src/tenancy/tag.ts'
import { parseTenantName } from '../../src/tenancy/tenant-name.ts'

const DEFAULTS: TagOptions = {
  parameter: true,
  user: '{user}.{tenant}',
  database: false,
  sni: false,
  certificate: false,
  defaultTenant: undefined,
}
const WITH_DEFAULT = { defaultTenant: parseTenantName('main') }
const HOST = { sni: '{tenant}.db.example.com' }
const CERTIFICATE = { certificate: '{tenant}.clients.example.com' }

function claim({ user = 'app', options, names }: NamesRow) {
  const tlsNames = { serverName: undefined, certificateNames: [], ...names }
  return readClaim(new Map([['user', user]]), { ...DEFAULTS, ...options }, tlsNames)
}

interface NamesRow {
  readonly name: string
  readonly user?: string
  readonly options: Partial<TagOptions>
  readonly names: Partial<TlsNames>
  /** Tenant and sources, or the code of the refusal. */
  readonly expects: readonly [tenant: string, ...sources: string[]] | string
}

const BOTH_SWITCHED = { ...HOST, ...CERTIFICATE }
const NAMES: readonly NamesRow[] = [
  {
    name: 'a server name',
    options: HOST,
    names: { serverName: 'acme.db.example.com' },
    expects: ['acme', 'TLS server name'],
  },
  {
    name: 'a server name of another form',
    options: { ...HOST, ...WITH_DEFAULT },
    names: { serverName: 'db.example.com' },
    expects: ['main', 'default'],
  },
  {
    name: 'a server name where that is off',
    options: WITH_DEFAULT,
    names: { serverName: 'acme.db.example.com' },
    expects: ['main', 'default'],
  },
  {
    name: 'a server name with a dot too many',
    options: HOST,
    names: { serverName: 'a.b.db.example.com' },
    expects: 'MALFORMED_TENANT_NAME',
  },
  {
    name: 'a server name beside another tenant of the user',
    user: 'app.globex',
    options: HOST,
    names: { serverName: 'acme.db.example.com' },
    expects: 'TAGS_DISAGREE',
  },
  {
    name: 'a certificate in capitals, beside names of another form',
    options: CERTIFICATE,
    names: { certificateNames: ['x.example.com', 'Acme.Clients.example.com'] },
    expects: ['acme', 'client certificate'],
  },
  {
    name: 'a certificate of two tenants',
    options: CERTIFICATE,
    names: { certificateNames: ['acme.clients.example.com', 'globex.clients.example.com'] },
    expects: 'TAGS_DISAGREE',
  },
  {
    name: 'both',
    user: 'app.acme',
    options: BOTH_SWITCHED,
    names: {
      serverName: 'acme.db.example.com',
      certificateNames: ['acme.clients.example.com'],
    },
    expects: ['acme', 'TLS server name', 'client certificate', 'user'],
  },
  {
    name: 'both, but not the same',
    options: BOTH_SWITCHED,
    names: {
      serverName: 'acme.db.example.com',
      certificateNames: ['globex.clients.example.com'],
    },
    expects: 'TAGS_DISAGREE',
  },
]
for (const row of NAMES) {
  const { name, expects } = row
  t.test(name, async (t) => {
    if (typeof expects === 'string') {
      t.throws(() => claim(row), { code: expects, sqlState: '28000' })
      return
    }
    const { tenant, sources } = claim(row)
    t.strictSame([tenant, ...sources], expects)
  })
}
