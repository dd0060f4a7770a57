import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { isSameToken, openToken, readToken } from '../../src/admin/admin-token.ts'

async function folder(t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'pgusher-token-'))
  t.teardown(() => rm(path, { recursive: true }))
  return path
}

t.test('none is configured', async (t) => {
  t.equal(openToken({}).value, undefined)
  t.equal(readToken({}), undefined)
})

t.test('one that is set needs no file', async (t) => {
  const tokenFile = join(await folder(t), 'token')
  const place = { token: 'sesame', tokenFile }
  const opened = openToken(place)
  t.equal(opened.value, 'sesame')
  t.equal(readToken(place), 'sesame')
  await t.rejects(stat(tokenFile), { code: 'ENOENT' })
  opened.remove()
})

t.test('a random one is written for its owner alone, and removed', async (t) => {
  const tokenFile = join(await folder(t), 'token')
  const first = openToken({ tokenFile })
  t.match(first.value, /^[\w-]{43}$/)
  t.equal((await stat(tokenFile)).mode & 0o777, 0o600)
  t.equal(readToken({ tokenFile }), first.value)
  first.remove()
  await t.rejects(stat(tokenFile), { code: 'ENOENT' })
  first.remove()
  const second = openToken({ tokenFile })
  t.not(second.value, first.value)
})

t.test('a file that was left behind is replaced, with its mode', async (t) => {
  const tokenFile = join(await folder(t), 'token')
  await writeFile(tokenFile, 'old')
  await chmod(tokenFile, 0o644)
  openToken({ tokenFile })
  t.equal((await stat(tokenFile)).mode & 0o777, 0o600)
  t.not(await readFile(tokenFile, 'utf8'), 'old')
})

t.test('a link is not followed', async (t) => {
  const path = await folder(t)
  const tokenFile = join(path, 'token')
  await writeFile(join(path, 'precious'), 'kept')
  await symlink(join(path, 'precious'), tokenFile)
  openToken({ tokenFile })
  t.equal(await readFile(join(path, 'precious'), 'utf8'), 'kept')
  t.ok((await stat(tokenFile)).isFile())
})

t.test('the file of the process that came after is left alone', async (t) => {
  const tokenFile = join(await folder(t), 'token')
  const first = openToken({ tokenFile })
  const second = openToken({ tokenFile })
  first.remove()
  t.equal(readToken({ tokenFile }), second.value)
})

t.test('a file that can not be had', async (t) => {
  const tokenFile = join(await folder(t), 'missing', 'token')
  const failure = { code: 'ADMIN_TOKEN_FILE_FAILED', message: tokenFile }
  t.throws(() => openToken({ tokenFile }), failure)
  t.throws(() => readToken({ tokenFile }), failure)
})

t.test('tokens are the same, or not', async (t) => {
  t.equal(isSameToken('sesame', 'sesame'), true)
  for (const other of ['', 'sesam', 'sesame ', 'Sesame', 'sesamesesame']) {
    t.equal(isSameToken(other, 'sesame'), false, other)
  }
})
