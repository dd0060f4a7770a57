import type { IsolationLevel } from '../../../src/tenancy/isolation.ts'
import { bind, execute, parse, sync } from '../../support/raw-client.ts'

/** How tenants share a database. */
export type Shared = 'schema' | 'row'

/** What the attacker is after. */
export type Aim =
  /** The victim's rows, texts or token come to the attacker. */
  | 'read'
  /** The victim's rows, or what its statements mean, are changed. */
  | 'write'
  /** The state of the victim's next session is changed. */
  | 'move'
  /** The victim is kept from its work. */
  | 'lock out'

/** Names for the texts of an attack: who is where. */
export interface Ground {
  readonly strategy: Shared
  /** The setting that says whose place it is. */
  readonly setting: 'search_path' | 'app.tenant_id'
  /** What that setting holds for each. */
  readonly mine: string
  readonly theirs: string
  /** Where the rows of the victim stand, by its qualified name. */
  readonly theirItems: string
  /** The schema in which the victim's names are found first. */
  readonly theirSchema: string
  /** The server login of the attacker. */
  readonly login: string
  /** The role that sessions of the victim take, where they take one. */
  readonly theirRole: string
  /** For what the victim says; the attacker never says it. */
  readonly secret: string
}

/** What the attacker sends, which so many ReadyForQuery answer. */
export interface Sent {
  readonly bytes: Buffer
  readonly answers: number
}

/** One thing that is done, and waited for. */
export type Act =
  /** The attacker asks that in one text. */
  | string
  | Sent
  /** The victim asks that in a session that stays until the end of the attack, and succeeds. */
  | { readonly victim: string }
  /** The same, answered when the attack is over. */
  | { readonly victimBegins: string }
  /** The attacker ends its session and logs in with these startup parameters. */
  | { readonly login: Readonly<Record<string, string>> }

export interface Attack {
  readonly name: string
  readonly strategy: Shared | 'both'
  readonly aim: Aim
  readonly acts: (ground: Ground) => readonly Act[]
  /** The lowest level that has to stop it. Below, it must work. */
  readonly stoppedBy: IsolationLevel | 'nobody'
  /** What the documentation says about it. */
  readonly note?: string
  /** It leaves something in the database, even where it fails. */
  readonly scars?: true
  /** Server connections of a pool; one, unless both have to be there at a time. */
  readonly poolSize?: number
  /** The attacker keeps its session while the victim works. */
  readonly lingers?: true
  /** Sessions take a role of the tenant; the server login may do more. */
  readonly withRole?: true
}

/** One attack on each strategy: `both` stands for two. */
export interface Case {
  readonly attack: Attack
  readonly strategy: Shared
}

/** How a session asks for `items`, whatever that means to it. */
export const READ = 'SELECT note FROM items'

/** The attacker runs one text by the extended protocol. */
export function bound(sql: string, ...values: readonly string[]): Sent {
  return { bytes: Buffer.concat([...run(sql, values), sync]), answers: 1 }
}

/** Several texts by the extended protocol, behind one Sync. */
export function pipeline(...texts: readonly string[]): Sent {
  return { bytes: Buffer.concat([...texts.flatMap((sql) => run(sql, [])), sync]), answers: 1 }
}

function run(sql: string, values: readonly string[]): Buffer[] {
  return [parse('', sql), bind('', '', values), execute()]
}

/** A text without zero bytes, in any encoding, as a Query. */
export function rawQuery(sql: Buffer): Sent {
  const head = Buffer.from('Q\0\0\0\0')
  head.writeInt32BE(sql.length + 5, 1)
  return { bytes: Buffer.concat([head, sql, Buffer.of(0)]), answers: 1 }
}

export function casesOf(attacks: readonly Attack[]): readonly Case[] {
  return attacks.flatMap((attack) => {
    const strategies: readonly Shared[] =
      attack.strategy === 'both' ? ['schema', 'row'] : [attack.strategy]
    return strategies.map((strategy) => ({ attack, strategy }))
  })
}
