import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** `USER_HZ`: Linux shows these times in hundredths of a second on every platform that Node has. */
const TICKS_PER_SECOND = 100
/** Position of `utime` behind the name in parentheses; `stime` follows. */
const UTIME_FIELD = 11
/** Memory counts once it has moved by less than this for so many looks in a row. */
const STEADY_KB = 64
const STEADY_LOOKS = 10
const LOOK_MS = 500
const MAX_LOOKS = 60

/** CPU time that a process has used so far, user and system, all its threads, in ms. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const ticks = Number(fields[UTIME_FIELD]) + Number(fields[UTIME_FIELD + 1])
  return (ticks * 1000) / TICKS_PER_SECOND
}

/** CPU time of a process, all threads that it has now, in µs. */
export function exactCpuUs(pid: number): number {
  return readdirSync(`/proc/${pid}/task`)
    .map((thread) => readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'latin1'))
    .reduce((sumUs, text) => sumUs + Number(text.split(' ')[0]) / 1000, 0)
}

/** Resident memory of a process, in kB. */
export function residentKb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1')
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1])
}

/** What is resident once garbage is collected and given back, in kB. */
export async function steadyKb(pid: number): Promise<number> {
  let steadyLooks = 0
  let lastKb = residentKb(pid)
  for (let look = 0; look < MAX_LOOKS && steadyLooks < STEADY_LOOKS; look += 1) {
    await sleep(LOOK_MS)
    const kb = residentKb(pid)
    steadyLooks = Math.abs(kb - lastKb) < STEADY_KB ? steadyLooks + 1 : 0
    lastKb = kb
  }
  return lastKb
}
