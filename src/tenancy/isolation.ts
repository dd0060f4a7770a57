/**
 * How much a tenant's isolation holds against. Each level includes the ones before it.
 *
 * - `convenience`: mistakes, not malice: `search_path`, or a plain setting and a row policy.
 * - `guarded`: also the SQL that an injection would try first: statements that would change the
 *   tenant's own settings or role are refused, and what no text shows is found when the connection
 *   passes on.
 * - `sealed`: hostile SQL: Postgres itself refuses, by a login of the tenant's own or by a token.
 *
 * @see docs/isolation.md
 */
export type IsolationLevel = 'convenience' | 'guarded' | 'sealed'
