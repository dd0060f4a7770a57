import fc from 'fast-check'
import t from 'tap'
import { readClaim } from '../../src/tenancy/tag.ts'

type Parameters = Readonly<Record<string, string>>

function claim(parameters: Parameters) {
  const options = {
    parameter: true,
    user: '{user}.{tenant}',
    database: false,
    sni: false,
    certificate: false,
    defaultTenant: undefined,
  } as const
  const noNames = { serverName: undefined, certificateNames: [] }
  return readClaim(new Map(Object.entries(parameters)), options, noNames)
}

interface SettingsRow {
  readonly name: string
  readonly parameters: Parameters
  readonly expects: readonly (readonly [name: string, value: string])[]
}

const SETTINGS: readonly SettingsRow[] = [
  {
    name: 'options come first, in order',
    parameters: { application_name: 'x', options: '-c b.b=2 -c a.a=1' },
    expects: [
      ['b.b', '2'],
      ['a.a', '1'],
      ['application_name', 'x'],
    ],
  },
  {
    name: 'a parameter wins over options',
    parameters: { DateStyle: 'German', options: '-c datestyle=ISO -c x.y=1' },
    expects: [
      ['x.y', '1'],
      ['datestyle', 'German'],
    ],
  },
  {
    name: 'the last one in options wins',
    parameters: { options: '-c work_mem=1MB --Work-Mem=2MB' },
    expects: [['work_mem', '2MB']],
  },
  {
    name: 'protocol options, tags and the fields of the packet are left out',
    parameters: { '_pq_.x': '1', database: 'saas', replication: 'off', Tenant: 'acme' },
    expects: [],
  },
  {
    name: 'other spellings of packet fields are settings, as in Postgres',
    parameters: { User: 'postgres', options: '-c database=x' },
    expects: [
      ['database', 'x'],
      ['user', 'postgres'],
    ],
  },
]
for (const { name, parameters, expects } of SETTINGS) {
  t.test(`settings: ${name}`, async (t) => {
    const { settings } = claim({ user: 'app.acme', ...parameters })
    t.strictSame(
      settings.map((setting) => [setting.name, setting.value]),
      expects,
    )
  })
}

t.test('no tag is left in what a claim passes on', async () => {
  const tenant = fc.stringMatching(/^[a-z0-9]([a-z0-9_-]{0,20}[a-z0-9])?$/)
  const login = fc.stringMatching(/^[A-Za-z.@]{0,8}[A-Za-z]$/)
  const spelling = fc.constantFrom('tenant', 'TENANT', 'pgusher.tenant', 'PGUSHER.Tenant')
  fc.assert(
    fc.property(tenant, login, spelling, (name, user, key) => {
      const options = `-c ${key}=${name} -c x.y=1`
      const read = claim({ user: `${user}.${name}`, [key]: name, options })
      t.strictSame([read.login, read.tenant], [user, name])
      t.strictSame(read.settings, [{ name: 'x.y', value: '1' }])
    }),
  )
})
