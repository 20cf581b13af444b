import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { hostClock, systemClock } from '#kube/clock.ts'
import { temporaryDirectory } from '#kube/testdata/temporary-directory.ts'
import type { ProgramEnd, RunProgram } from './program.ts'
import { StartedPrograms } from './program-starter.ts'

const limitMs = 60_000
/** Also where the clock runs a thousand times as fast. */
const longMs = 1_000_000_000

interface Busy {
  readonly run: RunProgram
  /** Runs a script of a shell by the starter. */
  readonly script: (words: string, options?: { readonly limitMs?: number; readonly signal?: AbortSignal }) => Promise<ProgramEnd>
}

/** With as many programs under way as are started without a starter. */
function busy(clock = systemClock): Busy {
  const programs = new StartedPrograms(clock)
  const stop = new AbortController()
  const own = programs.run
  // The room starts a few programs only, and a shell is none of them.
  const run = (program: string, ...rest: unknown[]): Promise<ProgramEnd> => Reflect.apply(own, undefined, [program, ...rest])
  for (let count = 0; count < 4; count++) void run('sleep', ['300'], { limitMs: longMs, signal: stop.signal })
  onTestFinished(async () => {
    stop.abort()
    await programs[Symbol.asyncDispose]()
  })
  return { run: own, script: (words, options) => run('sh', ['-c', words], { limitMs: longMs, ...options }) }
}

/** The process that starts programs now. */
const starterOf = async ({ script }: Busy) => Number((await script('echo $PPID')).output)

test('those beyond a few are another process’s, each with its own end and output', async () => {
  const one = busy()
  const ends = await Promise.all(
    Array.from({ length: 12 }, (_, number) => one.script(`echo ${number} $PPID; echo err >&2; exit ${number}`)),
  )
  expect(ends.map(({ code, isLate, isAbsent }) => ({ code, isLate, isAbsent }))).toEqual(
    Array.from({ length: 12 }, (_, code) => ({ code, isLate: false, isAbsent: false })),
  )
  const starter = await starterOf(one)
  expect(starter).not.toBe(process.pid)
  for (const [number, { output, gone }] of ends.entries()) {
    expect(output.split('\n').sort()).toEqual(['', `${number} ${starter}`, 'err'])
    await gone
  }
})

test('a few are our own', async () => {
  await using programs = new StartedPrograms(systemClock)
  const { output } = await programs.run('stat', ['-c', '%n', '/'], { limitMs })
  expect(output).toBe('/\n')
  const { code, isAbsent } = await programs.run('umount', ['/no/such/place'], { limitMs, saysErrorsOnly: true })
  expect([code === 0, isAbsent]).toEqual([false, false])
})

test('a limit and a signal end one with what it started', async () => {
  const { script } = busy()
  const late = await script('sleep 300 & sleep 300', { limitMs: 50 })
  expect(late).toMatchObject({ code: undefined, isLate: true })
  await late.gone
  const stop = new AbortController()
  const running = script('echo there; sleep 300', { signal: stop.signal })
  stop.abort()
  const stopped = await running
  expect(stopped).toMatchObject({ code: undefined, isLate: true })
  await stopped.gone
  expect((await script('sleep 300', { signal: stop.signal })).isLate).toBe(true)
})

test('one that is killed takes nobody else along: who waits is told, nothing goes on unseen, and the next has another', async () => {
  const one = busy()
  const first = await starterOf(one)
  const folder = await temporaryDirectory()
  const waiting = [1, 2].map(number => one.script(`echo $$ > ${folder}/${number}; sleep 300`))
  const looking = one.run('stat', ['-c', '%n', '/'], { limitMs })
  await expect.poll(() => readdirSync(folder).length).toBe(2)
  process.kill(first, 'SIGKILL')
  for (const [index, end] of (await Promise.all(waiting)).entries()) {
    expect(end).toMatchObject({ code: undefined, isLate: false, isAbsent: false })
    expect(end.output).toBe('what started it ended with SIGKILL: how it ended is not known')
    await end.gone
    expect(isThere(Number(readFileSync(join(folder, String(index + 1)), 'utf8')))).toBe(false)
  }
  // Who only looks looks again.
  expect((await looking).output).toBe('/\n')
  expect(await starterOf(one)).not.toBe(first)
})

test('one that answers nothing any more is given up', async () => {
  const one = busy(hostClock({ speed: 1_000 }))
  const first = await starterOf(one)
  process.kill(first, 'SIGSTOP')
  const end = await one.script('echo there', { limitMs })
  expect(end).toMatchObject({ code: undefined, output: 'what started it did not answer: how it ended is not known' })
  await expect.poll(() => isThere(first)).toBe(false)
  expect((await one.script('echo there')).output).toBe('there\n')
})

test('two hundred at once each have their own end', async () => {
  const { script } = busy()
  const ends = await Promise.all(Array.from({ length: 200 }, (_, number) => script(`echo ${number}; exit ${number % 7}`)))
  expect(ends.map(({ code, output }) => [code, output])).toEqual(ends.map((_, number) => [number % 7, `${number}\n`]))
})

test('who is disposed of leaves nothing under way, and whoever waits is told', async () => {
  const folder = await temporaryDirectory()
  const programs = new StartedPrograms(systemClock)
  const run = (words: string): Promise<ProgramEnd> => Reflect.apply(programs.run, undefined, ['sh', ['-c', words], { limitMs }])
  const all = Array.from({ length: 6 }, (_, number) => run(`echo $$ > ${folder}/${number}; exec sleep ${number < 4 ? 1 : 300}`))
  await expect.poll(() => readdirSync(folder).filter(name => pidIn(join(folder, name)) > 0).length).toBe(6)
  await programs[Symbol.asyncDispose]()
  for (const [number, end] of (await Promise.all(all)).entries()) {
    await end.gone
    expect(end.code).toBe(number < 4 ? 0 : undefined)
    expect(isThere(pidIn(join(folder, String(number))))).toBe(false)
  }
})

test('one whose driver is killed ends what it started, and itself', async () => {
  const folder = await temporaryDirectory()
  const child = fork(join(import.meta.dirname, 'program-starter-process.ts'), [], { detached: true })
  child.send({
    kind: 'run',
    number: 1,
    mark: 'of-a-test',
    program: 'sh',
    args: ['-c', `echo $$ > ${folder}/1; sleep 300`],
    limitMs,
    saysErrorsOnly: false,
  })
  await expect.poll(() => readdirSync(folder).filter(name => pidIn(join(folder, name)) > 0)).toEqual(['1'])
  child.disconnect()
  await once(child, 'exit')
  await expect.poll(() => isThere(pidIn(join(folder, '1')))).toBe(false)
})

test('it ends when nothing has been asked of it for a while, and is there again when it is needed', async () => {
  const one = busy(hostClock({ speed: 1_000 }))
  const first = await starterOf(one)
  await expect.poll(() => isThere(first)).toBe(false)
  expect(await starterOf(one)).not.toBe(first)
})

/** What is dead and was not taken note of is not there: it depends on the machine's first process how long that takes. */
function isThere(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return !/^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2))
  } catch {
    // Nobody has that number any more.
    return false
  }
}

/** 0 in a file that is there and not yet written. */
const pidIn = (path: string) => Number(readFileSync(path, 'utf8'))
