/** Facts for people and programs; never a secret. */
export type Details = { readonly [name: string]: string | number | boolean | undefined | Details }

/** An answer, before it is put on the wire. */
export interface AdminResponse {
  readonly status: number
  readonly contentType: string
  readonly body: string
  readonly headers?: Readonly<Record<string, string>>
}

export function json(status: number, details: Details): AdminResponse {
  return { status, contentType: 'application/json', body: `${JSON.stringify(details)}\n` }
}

/** @param remedy - What to do instead. */
export function refusal(status: number, error: string, remedy: string): AdminResponse {
  return json(status, { error, remedy })
}
