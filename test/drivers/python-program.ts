import type { Test } from 'tap'
import { runProgram } from '../support/driver-program.ts'
import type { Seat } from '../support/driver-seats.ts'

/** Debian's own, which its packages of drivers are for; the first of PATH may be another. */
const PYTHON = '/usr/bin/python3'
const RUN = 'test/drivers/python/run.py'

export interface PythonChecks {
  /** Modules of `test/drivers/python`, whose checks run in that order. */
  readonly modules: readonly string[]
  /** All that they report, at every seat. */
  readonly checks: readonly string[]
  /** What they report besides for a database tenant. @defaultValue none */
  readonly databaseChecks?: readonly string[]
  /** What they report besides in transaction mode. @defaultValue none */
  readonly transactionChecks?: readonly string[]
}

/** Runs the checks of a driver, one process for a seat. */
export function runPython(t: Test, seat: Seat, program: PythonChecks): Promise<void> {
  const { modules, checks, databaseChecks = [], transactionChecks = [] } = program
  return runProgram(t, seat, {
    command: PYTHON,
    // Leaves no compiled files in the tree.
    args: ['-B', RUN, ...modules],
    checks: [
      ...checks,
      ...(seat.strategy === 'database' ? databaseChecks : []),
      ...(seat.mode === 'transaction' ? transactionChecks : []),
    ],
    disturbed: 'asked',
  })
}
