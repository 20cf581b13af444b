// How long a user waits for the page of `ballast up`: from the command to an address that answers with a page that reads, to the nodes on
// it, and to the script that makes it live; in a clone that was never started, and in one that was.
import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import type { Figure } from './scheduler-model.ts'

const root = join(import.meta.dirname, '..')
/** What a clone has that `up` needs. */
const parts = ['src', 'bin', 'examples', 'package.json', 'package-lock.json', 'tsconfig.json']
/** Budgets of the dashboard's spec. */
const readableWithinS = 5
const giveUpMs = 60_000
const lookAgainMs = 20

interface Start {
  readonly readableMs: number
  readonly nodesMs: number
  readonly liveMs: number
}

/** A copy of this clone without anything built, so that nobody's own is touched. */
function freshClone(): string {
  const clone = mkdtempSync(join(tmpdir(), 'ballast-bench-clone-'))
  for (const part of parts) cpSync(join(root, part), join(clone, part), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'))
  return clone
}

/** Asks again until the answer is as wanted. @returns when it was, since `startMs` */
async function until(startMs: number, url: string, accept: string, isWanted: (body: string) => boolean): Promise<number> {
  for (;;) {
    const answer = await fetch(url, { headers: { accept } })
    const body = await answer.text()
    const sinceMs = systemClock.elapsed() - startMs
    if (answer.ok && isWanted(body)) return sinceMs
    if (sinceMs > giveUpMs) throw new Error(`${url} (${accept}) is not as it should be after ${giveUpMs} ms`)
    await systemClock.after(lookAgainMs)
  }
}

async function start(clone: string): Promise<Start> {
  const startMs = systemClock.elapsed()
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      join(clone, 'src', 'cli', 'main.ts'),
      ...['up', '--port', '0', '--kubeconfig-out', join(clone, 'kubeconfig')],
    ],
    {
      cwd: clone,
      env: {
        ...process.env,
        NODE_COMPILE_CACHE: join(clone, 'compile-cache'),
        XDG_CACHE_HOME: join(clone, 'cache'),
        NO_COLOR: '1',
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const ended = new Promise(resolve => child.once('close', resolve))
  try {
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    let said = ''
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString('utf8')
      const url = /^Ballast {2}(http:\S+)/m.exec(said)?.[1]
      if (url !== undefined) resolve(url)
    })
    child.once('close', code => reject(new Error(`up ended with ${code} before it said where the page is`)))
    const url = await promise
    const readableMs = await until(startMs, url, 'text/html', body => /<h1|<main/.test(body))
    const [nodesMs, liveMs] = await Promise.all([
      until(startMs, url, 'text/html', body => body.includes('talos03')),
      until(startMs, url, 'text/html', body => /<script[^>]+src="[^"]*assets\//.test(body)),
    ])
    return { readableMs, nodesMs, liveMs }
  } finally {
    child.kill('SIGINT')
    await ended
  }
}

/** The first start of a clone and the second. */
async function dashboardStartFigures(): Promise<readonly Figure[]> {
  const clone = freshClone()
  try {
    const first = await start(clone)
    const second = await start(clone)
    return [...figuresOf('first start, the page to be built', first), ...figuresOf('next start, the page built', second)]
  } finally {
    rmSync(clone, { recursive: true, force: true })
  }
}

function figuresOf(name: string, { readableMs, nodesMs, liveMs }: Start): readonly Figure[] {
  return [
    { name: `${name}: a page that reads`, value: readableMs / 1000, unit: 's' },
    { name: `${name}: the nodes on it`, value: nodesMs / 1000, unit: 's' },
    { name: `${name}: its script`, value: liveMs / 1000, unit: 's' },
  ]
}

if (import.meta.main) {
  const figures = await dashboardStartFigures()
  for (const { name, value, unit } of figures) process.stdout.write(`${name}: ${value.toFixed(2)} ${unit}\n`)
  const late = figures.filter(({ name, value }) => name.endsWith('a page that reads') && value > readableWithinS)
  for (const { name } of late) process.stdout.write(`over the budget of ${readableWithinS} s: ${name}\n`)
  if (late.length > 0) process.exitCode = 1
}
