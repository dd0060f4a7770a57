import type { z } from 'zod'
import { RecordRefusedError } from '../catalog-errors.ts'
import type { Finding, Problems } from './problems.ts'
import { formatPath, type SettingPath } from './setting-path.ts'

/** Collects what is wrong with one record of the catalog. */
export class RecordProblems implements Problems {
  readonly #subject: string
  readonly #texts: string[] = []

  /** @param subject - The record, such as `tenant acme`. */
  constructor(subject: string) {
    this.#subject = subject
  }

  add(path: SettingPath, { message, remedy }: Finding): void {
    this.#texts.push(`${formatPath(path)} ${message}. ${remedy}`)
  }

  /** The value that a schema makes of `value`; `undefined` when it has problems. */
  read<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> | undefined {
    const result = schema.safeParse(value)
    if (result.success) return result.data
    for (const issue of result.error.issues) {
      const remedy = issue.code === 'custom' ? (issue.params?.['remedy'] ?? '') : ''
      const message = `${issue.message}. ${remedy}`.trim()
      this.#texts.push(`${formatPath(issue.path as SettingPath)}: ${message}`)
    }
    return undefined
  }

  get isEmpty(): boolean {
    return this.#texts.length === 0
  }

  /** @throws RecordRefusedError - when anything was wrong. */
  throwIfAny(): void {
    if (this.#texts.length === 0) return
    throw new RecordRefusedError(`${this.#subject}: ${this.#texts.join(' ')}`)
  }
}
