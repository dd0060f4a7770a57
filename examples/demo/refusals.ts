import { DatabaseError } from 'pg'
import { LOGINS, REPORTS_TENANT, type Served } from './served.ts'
import { connectAs } from './visit.ts'

/** One attempt to come in that must fail. */
export interface Refusal {
  readonly attempt: string
  /** SQLSTATE that the client got, or `let in`. */
  readonly sqlState: string
  readonly message: string
  /** What only the log says. */
  readonly reason: string
}

const ATTEMPTS = [
  { attempt: 'a tenant that its login is not granted', ...LOGINS.reports, tenant: 'globex' },
  { attempt: 'a tenant that does not exist', ...LOGINS.reports, tenant: 'nobody' },
  { attempt: 'a wrong password', user: 'reports', password: 'guess', tenant: REPORTS_TENANT },
] as const

/** Tries to come in where it must not work. */
export async function tryRefusals({ port, events }: Served): Promise<readonly Refusal[]> {
  const refusals: Refusal[] = []
  for (const { attempt, user, password, tenant } of ATTEMPTS) {
    const told = await refused(port, `${user}.${tenant}`, password)
    refusals.push({ attempt, ...told, reason: String(events().at(-1)?.['reason']) })
  }
  return refusals
}

/** Every attempt must fail, and all in the same words. */
export function findLeaks(refusals: readonly Refusal[]): readonly string[] {
  const [first] = refusals
  return refusals.flatMap(({ attempt, sqlState, message }) => {
    if (sqlState !== '28P01') return [`${attempt}: answered ${sqlState}, not 28P01`]
    return message === first?.message ? [] : [`${attempt}: told apart by "${message}"`]
  })
}

async function refused(port: number, user: string, password: string) {
  try {
    const client = await connectAs(port, user, password)
    await client.end()
    return { sqlState: 'let in', message: '' }
  } catch (error) {
    if (!(error instanceof DatabaseError)) throw error
    return { sqlState: error.code ?? '', message: error.message }
  }
}
