import type { ProxyError } from '../../src/base/proxy-error.ts'
import type { Catalog, Resolution, RouteRequest } from '../../src/catalog/catalog.ts'
import type { Route } from '../../src/catalog/route.ts'
import type { Credential } from '../../src/session/follow/credential.ts'
import type { FollowedSession } from '../../src/session/follow/followed-session.ts'
import { parseTenantName, type TenantName } from '../../src/tenancy/tenant-name.ts'

function tenantName(text: string): TenantName {
  const name = parseTenantName(text)
  if (name === undefined) throw new Error(`${text} is no name of a tenant`)
  return name
}

const NO_SECRET: Credential = { method: 'trust', secret: undefined }

/** A session that writes down what it is told. */
export class FakeSession implements FollowedSession {
  readonly tenant: TenantName
  readonly login: string
  readonly credential: Credential
  readonly told: (Route | string)[] = []

  constructor(tenant: string, login = 'app', credential: Credential = NO_SECRET) {
    this.tenant = tenantName(tenant)
    this.login = login
    this.credential = credential
  }

  follow(route: Route): void {
    this.told.push(route)
  }

  dismiss(error: ProxyError): void {
    this.told.push(error.code)
  }
}

/** A catalog that answers when the test says so. */
export class SlowCatalog implements Catalog {
  readonly asked: string[] = []
  readonly #open: {
    resolve: (resolution: Resolution) => void
    reject: (error: Error) => void
  }[] = []

  resolve({ tenant, login }: RouteRequest): Promise<Resolution> {
    this.asked.push(`${login}.${tenant}`)
    return new Promise((resolve, reject) => this.#open.push({ resolve, reject }))
  }

  /** Answers the oldest request that is open. */
  answers(resolution: Resolution): void {
    this.#open.shift()?.resolve(resolution)
  }

  fails(): void {
    this.#open.shift()?.reject(new Error('not now'))
  }

  /** What was asked since the last call. */
  takeAsked(): readonly string[] {
    return this.asked.splice(0)
  }
}
