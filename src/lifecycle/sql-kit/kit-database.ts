/** What is asked of a client of `pg`. */
export interface KitClient {
  query(text: string, values?: unknown[]): Promise<{ rows: Record<string, unknown>[] }>
}

interface KeyEnd {
  readonly id: string
  /** `undefined`: never for a key that is added, now for one that is to expire. */
  readonly expiresAt: Date | undefined
}

/** @returns the setting that the installed kit reads; `undefined` when there is no kit. */
export async function installedSetting(client: KitClient): Promise<string | undefined> {
  const known = await client.query(
    `SELECT pg_catalog.to_regclass('pgusher.kit') IS NOT NULL AS "isThere"`,
  )
  if (known.rows[0]?.['isThere'] !== true) return undefined
  const { rows } = await client.query('SELECT setting FROM pgusher.kit')
  return rows[0] === undefined ? undefined : String(rows[0]['setting'])
}

/** Adds a key, or gives one that is there another end. The key is a parameter: none sees it go. */
export async function addKitKey(
  client: KitClient,
  { id, key, expiresAt }: KeyEnd & { readonly key: string },
): Promise<void> {
  await client.query(`SELECT pgusher.add_key($1, $2, coalesce($3, 'infinity'::timestamptz))`, [
    id,
    Buffer.from(key, 'base64'),
    expiresAt,
  ])
}

/** From that time on no transaction begins for which tokens of the key are valid. */
export async function expireKitKey(client: KitClient, { id, expiresAt }: KeyEnd): Promise<void> {
  await client.query('SELECT pgusher.expire_key($1, coalesce($2, now()))', [id, expiresAt])
}
