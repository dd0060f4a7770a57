import { readFileSync } from 'node:fs'

/** `USER_HZ`: Linux shows these times in hundredths of a second on every platform that Node has. */
const TICKS_PER_SECOND = 100
/** Position of `utime` behind the name in parentheses; `stime` follows. */
const UTIME_FIELD = 11

/** CPU time that a process has used so far, user and system, all its threads, in ms. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[UTIME_FIELD]) + Number(fields[UTIME_FIELD + 1])
  return (ticks * 1000) / TICKS_PER_SECOND
}

/** CPU time of a process with one thread, such as a backend of Postgres, in µs. */
export function exactCpuUs(pid: number): number {
  const [ns] = readFileSync(`/proc/${pid}/schedstat`, 'latin1').split(' ')
  return Number(ns) / 1000
}

/** Resident memory of a process, in kB. */
export function residentKb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1])
}
