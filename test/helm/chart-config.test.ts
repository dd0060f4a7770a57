import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { TestAuthority } from '../support/certificates.ts'
import { type KubernetesObject, readObjects, theObject } from '../support/helm.ts'
import { renderAll } from './chart-sets.ts'
import { type Container, configText, podsOf, proxyContainer } from './pod-parts.ts'

/** What the Secrets hold that value files and examples name. */
const SECRETS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  'front-door': {
    APP_PASSWORD: 'hush app',
    REDIS_PASSWORD: 'hush-redis',
    CATALOG_PASSWORD: 'hush/catalog',
    OPS_PASSWORD: 'hush ops',
  },
  'pool-login': { password: 'hush@pool' },
  'pgusher-passwords': { APP_PASSWORD: 'hush', POOL_PASSWORD: 'hush' },
  'shop-database': { APP_PASSWORD: 'hush', POOL_PASSWORD: 'hush' },
}

/** The environment that kubelet makes for a container. */
function environmentOf({ env = [], envFrom = [] }: Container): Record<string, string> {
  const listed = env.map(({ name, value, valueFrom }) => {
    const { name: secret, key } = valueFrom?.secretKeyRef ?? { name: '', key: '' }
    return [name, value ?? SECRETS[secret]?.[key] ?? ''] as const
  })
  const whole = envFrom.map(({ secretRef }) => SECRETS[secretRef.name])
  return Object.assign({}, ...whole, Object.fromEntries(listed))
}

/** Makes a folder that stands in the place of `/etc/pgusher/secrets`. */
async function secretFolder(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'pgusher-secrets-'))
  const authority = await TestAuthority.create()
  const { cert, key } = await authority.issue({ commonName: 'front-door' })
  await authority.remove()
  const files = {
    'tls/tls.crt': cert,
    'tls/tls.key': key,
    'keys/key-2026a': Buffer.alloc(32, 7).toString('base64'),
  }
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), text)
  }
  return folder
}

const folder = await secretFolder()
t.teardown(() => rmSync(folder, { recursive: true }))

function check(objects: readonly KubernetesObject[]) {
  const file = join(folder, 'pgusher.yaml')
  writeFileSync(file, configText(objects).replaceAll('/etc/pgusher/secrets', folder))
  const env = environmentOf(proxyContainer(theObject(objects, 'Deployment')))
  const args = ['dist/src/main.js', 'check', '--config', file]
  return spawnSync(process.execPath, args, { env, encoding: 'utf8' })
}

const plain = readObjects('examples/kubernetes/sidecar.yaml')

const sets = [...renderAll(), { name: 'sidecar.yaml', objects: plain }]

for (const { name, objects } of sets) {
  t.test(`pgusher check accepts the rendered configuration: ${name}`, async (t) => {
    const { status, stdout, stderr } = check(objects)
    t.equal(stderr, '')
    t.match(stdout, /^configuration ok$/m)
    const [, bound] = /^ends within ([\d.]+) s/m.exec(stdout) ?? []
    const [pod] = podsOf(theObject(objects, 'Deployment'))
    t.ok((pod?.terminationGracePeriodSeconds ?? 0) >= Number(bound) + 9, `more than ${bound} s`)
    t.equal(status, 0)
  })

  t.test(`no object holds a secret: ${name}`, async (t) => {
    t.notMatch(JSON.stringify(objects), /hush/)
  })
}

t.test('pgusher check sees what the pod would lack', async (t) => {
  const set = sets.find(({ name }) => name === 'everything')
  const objects = set?.objects ?? []
  const text = JSON.stringify(objects).replace('APP_PASSWORD}', 'OTHER_PASSWORD}')
  const { status, stderr } = check(JSON.parse(text))
  t.equal(status, 2)
  t.match(stderr, /environment variable OTHER_PASSWORD is not set/)
})
