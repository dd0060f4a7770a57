import t from 'tap'
import { KeyRing } from '../../src/catalog/sealing/key-ring.ts'
import { runRekey } from '../../src/cli/catalog-rekey.ts'
import { runSeal } from '../../src/cli/catalog-seal.ts'
import {
  addTenants,
  openTenants,
  randomKey,
  startCatalog,
} from '../catalog/sealing/catalog-fixture.ts'
import { configWith, runCommand } from './catalog-fixture.ts'

const OLD = randomKey('2026-01')
const NEW = randomKey('2026-07')

for (const major of [15, 18] as const) {
  t.test(`a rotation of keys over Postgres ${major}`, async (t) => {
    const { client, server } = await startCatalog(t, major)
    const postgres = { url: server.url('postgres') }
    const configs = {
      old: ['--config', configWith({ postgres, keys: [OLD] })],
      both: ['--config', configWith({ postgres, keys: [NEW, OLD] })],
      new: ['--config', configWith({ postgres, keys: [NEW] })],
    }
    await addTenants(client, 3, new KeyRing([OLD]))
    await client.query(
      `INSERT INTO pgusher.servers (name, url) VALUES ('shared', 'postgresql://pool@db/saas')`,
    )
    await runCommand(runSeal, [...configs.old, '--server', 'shared', '--write'], ['hush'])

    t.strictSame(await runCommand(runRekey, configs.both), {
      exitCode: 0,
      errors: '',
      out:
        'servers: 1 sealed with 2026-07, 0 were already, 0 do not open\n' +
        'tenants: 3 sealed with 2026-07, 0 were already, 0 do not open\n',
    })
    t.equal(Object.keys(await openTenants(client, [NEW])).length, 3)
    t.strictSame(await runCommand(runRekey, configs.new), {
      exitCode: 0,
      errors: '',
      out:
        'servers: 0 sealed with 2026-07, 1 were already, 0 do not open\n' +
        'tenants: 0 sealed with 2026-07, 3 were already, 0 do not open\n',
    })

    const lost = await runCommand(runRekey, configs.old)
    t.equal(lost.exitCode, 1)
    t.match(lost.out, /tenants: 0 sealed with 2026-01, 0 were already, 3 do not open/)
    t.strictSame(lost.errors.match(/(?<=^pgusher: )(server|tenant) \w+(?=: )/gm), [
      'server shared',
      'tenant t000',
      'tenant t001',
      'tenant t002',
    ])
    t.notMatch(lost.errors, /hush|v1:/)
  })
}

t.test('needs keys and a database', async (t) => {
  const postgres = { url: 'postgresql://app@127.0.0.1:1/catalog' }
  for (const config of [{ postgres }, { keys: [NEW] }]) {
    const result = await runCommand(runRekey, ['--config', configWith(config)])
    t.match(result, { exitCode: 2, out: '' })
  }
  const unanswered = await runCommand(runRekey, ['--config', configWith({ postgres, keys: [NEW] })])
  t.match(unanswered, { exitCode: 1, out: '' })
})

t.test('takes no other options', async (t) => {
  const args = ['--config', configWith({ keys: [NEW] }), '--tenant', 'acme']
  t.match(await runCommand(runRekey, args), { exitCode: 2, out: '' })
})
