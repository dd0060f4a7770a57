import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A certificate and its key, as files and as PEM texts. */
export interface CertificateFiles {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: string
  readonly key: string
}

/** What a certificate says of its owner. */
export interface CertificateSubject {
  readonly commonName: string
  /** Alternative names as OpenSSL writes them, such as `DNS:localhost` or `IP:127.0.0.1`. */
  readonly altNames?: readonly string[]
  /** It was in force until yesterday. @defaultValue `false` */
  readonly isExpired?: boolean
  /** Such as `['ec', '-pkeyopt', 'ec_paramgen_curve:P-384']`. @defaultValue P-256 */
  readonly newKey?: readonly string[]
  /** Hash of the signature. @defaultValue `sha256` */
  readonly hash?: string
}

const P256 = ['ec', '-pkeyopt', 'ec_paramgen_curve:P-256']

/** An authority in a temporary folder, made with the `openssl` command. */
export class TestAuthority {
  /** Where its files and those of its certificates are. Open to its owner alone. */
  readonly folder: string
  readonly own: CertificateFiles
  #issued = 0

  private constructor(folder: string, own: CertificateFiles) {
    this.folder = folder
    this.own = own
  }

  /** @param newKey - As {@link CertificateSubject.newKey}; its kind is that of all signatures. */
  static async create(
    commonName = 'PgUsher test authority',
    newKey: readonly string[] = P256,
  ): Promise<TestAuthority> {
    const folder = await mkdtemp(join(tmpdir(), 'pgusher-certificates-'))
    const files = { certFile: join(folder, 'ca.crt'), keyFile: join(folder, 'ca.key') }
    await openssl([
      ...['req', '-x509', '-nodes', '-days', '2', '-subj', `/CN=${commonName}`],
      ...['-newkey', ...newKey, '-keyout', files.keyFile, '-out', files.certFile],
    ])
    return new TestAuthority(folder, await readPair(files))
  }

  /** The file of its own certificate, for those who trust it. */
  get caFile(): string {
    return this.own.certFile
  }

  /** Makes a key and signs a certificate for it. */
  async issue(subject: CertificateSubject): Promise<CertificateFiles> {
    this.#issued += 1
    const path = (suffix: string) => join(this.folder, `${this.#issued}${suffix}`)
    const files = { certFile: path('.crt'), keyFile: path('.key') }
    const [request, extensions] = [path('.csr'), path('.ext')]
    const { commonName, altNames = [], newKey = P256, hash = 'sha256' } = subject
    await writeFile(
      extensions,
      altNames.length === 0 ? '' : `subjectAltName=${altNames.join(',')}\n`,
    )
    await openssl([
      ...['req', '-new', '-nodes', '-subj', `/CN=${commonName}`],
      ...['-newkey', ...newKey, '-keyout', files.keyFile, '-out', request],
    ])
    const days = subject.isExpired ? -1 : 2
    await this.#sign({ request, extensions, hash, days }, files.certFile)
    return readPair(files)
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true })
  }

  async #sign(
    order: { request: string; extensions: string; hash: string; days: number },
    certFile: string,
  ): Promise<void> {
    await openssl([
      ...['x509', '-req', '-in', order.request, '-out', certFile, `-${order.hash}`],
      ...['-CA', this.own.certFile, '-CAkey', this.own.keyFile, '-extfile', order.extensions],
      ...['-set_serial', String(Date.now() * 100 + this.#issued), '-days', String(order.days)],
    ])
  }
}

function openssl(args: readonly string[]): Promise<unknown> {
  return run('openssl', args)
}

async function readPair(
  files: Pick<CertificateFiles, 'certFile' | 'keyFile'>,
): Promise<CertificateFiles> {
  const [cert, key] = await Promise.all([
    readFile(files.certFile, 'utf8'),
    readFile(files.keyFile, 'utf8'),
  ])
  return { ...files, cert, key }
}
