import { execFile } from 'node:child_process'
import { cp, mkdir, readdir, readFile, stat } from 'node:fs/promises'
import { basename, join, relative, resolve } from 'node:path'
import { promisify } from 'node:util'
import { npmEnvironment } from './npm-environment.ts'
import { WITHOUT_HOOKS } from './without-hooks.ts'

const run = promisify(execFile)

/** One instruction of a Dockerfile, its lines joined. */
export interface Instruction {
  readonly name: string
  readonly rest: string
}

/** What a Dockerfile makes, in folders in place of layers. */
export interface BuiltImage {
  /** Stands for `/`. */
  readonly root: string
  readonly workdir: string
  /** As the Dockerfile says it, paths and all. */
  readonly env: ReadonlyMap<string, string>
  readonly labels: ReadonlyMap<string, string>
  readonly user: string
  readonly ports: readonly number[]
  readonly stopSignal: NodeJS.Signals
  readonly entrypoint: readonly string[]
  readonly cmd: readonly string[]
  readonly healthcheck: readonly string[]
}

/** How the steps are taken. */
export interface BuildOptions {
  /** The checkout; of it, what `.dockerignore` lets through is the context. */
  readonly source: string
  /** An empty folder. */
  readonly folder: string
  /** A folder with what the base image brings. */
  readonly programs: string
}

interface Stage {
  readonly name: string
  readonly root: string
  readonly facts: Map<string, string>
  readonly env: Map<string, string>
  readonly labels: Map<string, string>
  readonly args: Map<string, string>
  workdir: string
}

type Step = (stage: Stage, rest: string) => Promise<void> | void

/** The instructions of a Dockerfile. */
export function readInstructions(text: string): readonly Instruction[] {
  return text
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .join('\n')
    .replaceAll(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name = '', rest = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? []
      return { name, rest }
    })
}

/**
 * Takes the steps of a Dockerfile without an engine: stages are folders, RUN is a shell in them.
 * What it can't do it refuses, so that it never does less than the Dockerfile says.
 */
export async function buildImage(options: BuildOptions): Promise<BuiltImage> {
  const context = await makeContext(options)
  const stages = new Map<string, Stage>()
  const globals = new Map<string, string>()
  let stage: Stage | undefined
  const steps = stepsOf({ context, stages, env: npmEnvironment(options.programs) })
  const text = await readFile(join(options.source, 'Dockerfile'), 'utf8')
  for (const { name, rest } of readInstructions(text)) {
    if (name === 'FROM') {
      stage = await beginStage(rest, join(options.folder, `stage-${stages.size}`))
      stages.set(stage.name, stage)
    } else if (stage === undefined) setAll(globals, rest)
    else {
      const step = steps[name]
      if (step === undefined) throw new Error(`the test does not know ${name}`)
      await step(stage, rest)
    }
  }
  if (stage === undefined) throw new Error('a Dockerfile without FROM')
  return imageOf(stage)
}

/** The files that go to the builder: the last line of `.dockerignore` that fits decides. */
async function makeContext({ source, folder }: BuildOptions): Promise<string> {
  const context = join(folder, 'context')
  const text = await readFile(join(source, '.dockerignore'), 'utf8')
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  const [all, ...others] = lines
  const isList = all === '*' && others.every((line) => /^![\w./-]+$/.test(line))
  if (!isList) throw new Error('.dockerignore is no list of what goes to the builder')
  for (const path of others.map((line) => line.slice(1))) {
    await cp(join(source, path), join(context, path), { recursive: true })
  }
  return context
}

async function beginStage(rest: string, root: string): Promise<Stage> {
  const [, name = root] = / AS (\S+)$/.exec(rest) ?? []
  await mkdir(root)
  const empty = () => new Map<string, string>()
  return { name, root, workdir: '/', facts: empty(), env: empty(), labels: empty(), args: empty() }
}

interface Surroundings {
  readonly context: string
  readonly stages: ReadonlyMap<string, Stage>
  readonly env: NodeJS.ProcessEnv
}

function stepsOf({ context, stages, env }: Surroundings): Readonly<Record<string, Step>> {
  const note =
    (name: string): Step =>
    ({ facts }, rest) =>
      void facts.set(name, rest)
  return {
    ARG: ({ args }, rest) => setAll(args, rest),
    ENV: (stage, rest) => setAll(stage.env, rest),
    LABEL: ({ labels, args }, rest) => setAll(labels, substitute(rest, args)),
    async WORKDIR(stage, rest) {
      stage.workdir = resolve(stage.workdir, rest)
      await mkdir(placeOf(stage), { recursive: true })
    },
    async RUN(stage, rest) {
      if (/(^|[\s='"])\//.test(rest)) throw new Error(`RUN leaves its folder: ${rest}`)
      const [program, ...words] = WITHOUT_HOOKS
      await run(program, [...words, '/bin/sh', '-c', rest], { cwd: placeOf(stage), env })
    },
    async COPY(stage, rest) {
      const [, from] = /^--from=(\S+) /.exec(rest) ?? []
      const origin = from === undefined ? context : stages.get(from)?.root
      if (origin === undefined) throw new Error(`COPY from an unknown stage: ${rest}`)
      await copy(stage, origin, rest.replace(/^--from=\S+ /, ''))
    },
    USER: note('USER'),
    EXPOSE: note('EXPOSE'),
    STOPSIGNAL: note('STOPSIGNAL'),
    HEALTHCHECK: note('HEALTHCHECK'),
    ENTRYPOINT: note('ENTRYPOINT'),
    CMD: note('CMD'),
  }
}

function placeOf({ root, workdir }: Stage): string {
  return join(root, workdir)
}

/** As Docker has it: of a folder what is in it, and a file under its name if the goal is a folder. */
async function copy(stage: Stage, origin: string, rest: string): Promise<void> {
  const paths = rest.split(/\s+/)
  const goal = join(placeOf(stage), paths.at(-1) ?? '')
  const sources = paths.slice(0, -1)
  const isInto = goal.endsWith('/') || sources.length > 1
  for (const source of sources) {
    const path = join(origin, source)
    const isFolder = (await stat(path)).isDirectory()
    const target = isFolder || !isInto ? goal : join(goal, basename(source))
    await cp(path, target, { recursive: true, verbatimSymlinks: true })
  }
}

/** `A=1 B="two words"`, or `A`. */
function setAll(values: Map<string, string>, rest: string): void {
  for (const [, name = '', quoted, plain] of rest.matchAll(/([\w.]+)(?:=(?:"([^"]*)"|(\S*)))?/g)) {
    values.set(name, quoted ?? plain ?? '')
  }
}

function substitute(text: string, values: ReadonlyMap<string, string>): string {
  return text.replaceAll(/\$\{(\w+)\}/g, (_, name: string) => values.get(name) ?? '')
}

function imageOf({ root, workdir, env, labels, facts }: Stage): BuiltImage {
  const words = (text = '[]'): readonly string[] => JSON.parse(text)
  const [, healthcheck] = /CMD (\[.*\])$/.exec(facts.get('HEALTHCHECK') ?? '') ?? []
  return {
    ...{ root, workdir, env, labels },
    user: facts.get('USER') ?? 'root',
    ports: (facts.get('EXPOSE') ?? '').split(' ').map(Number),
    stopSignal: (facts.get('STOPSIGNAL') ?? 'SIGTERM') as NodeJS.Signals,
    entrypoint: words(facts.get('ENTRYPOINT')),
    cmd: words(facts.get('CMD')),
    healthcheck: words(healthcheck),
  }
}

/** Every file below a folder with its size and the time of its last change. */
export async function listTree(folder: string): Promise<ReadonlyMap<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile())
  const pairs = files.map(async ({ parentPath, name }) => {
    const path = join(parentPath, name)
    const { size, mtimeMs } = await stat(path)
    return [relative(folder, path), `${size} ${mtimeMs}`] as const
  })
  return new Map(await Promise.all(pairs))
}
