import { type ChildProcess, spawn } from 'node:child_process'
import { Socket } from 'node:net'

/** Whether a server that was spawned, and what it says, keep this process alive. */
export function setRef(child: ChildProcess, keepsProcessAlive: boolean): void {
  const outputs = [child.stdout, child.stderr].filter((output) => output instanceof Socket)
  for (const handle of [child, ...outputs]) {
    if (keepsProcessAlive) handle.ref()
    else handle.unref()
  }
}

/**
 * A shell that waits for the end of its standard input, which comes when this process is gone,
 * even by SIGKILL; then it ends the server and removes its folder.
 */
export function startWatchdog(pid: number, dir: string): () => void {
  const script = `
    read -r word
    [ "$word" = dismissed ] && exit
    kill -QUIT "$1" 2>/dev/null
    tries=0
    while kill -0 "$1" 2>/dev/null && [ "$tries" -lt 100 ]; do
      tries=$((tries + 1))
      sleep 0.05
    done
    kill -KILL "$1" 2>/dev/null
    rm -rf "$2"`
  const watchdog = spawn('/bin/sh', ['-c', script, 'sh', String(pid), dir], {
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  watchdog.unref()
  if (watchdog.stdin instanceof Socket) watchdog.stdin.unref()
  return () => watchdog.stdin.end('dismissed\n')
}
