// Both deschedulers as programs: upstream's and ours, called alike.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundle, writeBundle } from '../../../scripts/image/bundle.ts'
import { atEnd } from '../endings.ts'
import { upstreamPath } from '../upstreams/build.ts'

export interface Program {
  readonly name: string
  readonly command: string
  /** Before the flags. */
  readonly words: readonly string[]
}

const longestMs = 120_000
const flags =
  '--policy-config-file=policy.json --kubeconfig=kubeconfig --descheduling-interval=0 --secure-port=0 --disable-metrics --v=1'

/** As a recording names it. */
export const upstreamCommand = `descheduler ${flags}`

/** Throws PartUnavailable where the program cannot be had. */
export async function upstreamProgram(): Promise<Program> {
  return { name: 'upstream', command: await upstreamPath('descheduler'), words: [] }
}

let ours: Promise<Program> | undefined

/** As the image has it: one file, which starts several times faster than the source. Made once; removed when this process ends. */
export function ourProgram(): Promise<Program> {
  ours ??= bundled()
  return ours
}

async function bundled(): Promise<Program> {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-descheduler-'))
  atEnd(() => rmSync(directory, { recursive: true, force: true }))
  writeBundle(await bundle(join(import.meta.dirname, '..', '..', '..')), directory)
  return { name: 'ours', command: process.execPath, words: [join(directory, 'ballast.mjs'), 'descheduler'] }
}

/** Has a program run its only cycle on a cluster. Throws Error with its last words where it fails, or takes two minutes. */
export async function runOneCycle(
  program: Program,
  { kubeconfig, policy }: { readonly kubeconfig: string; readonly policy: string },
): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-side-by-side-'))
  const place = (name: string) => join(directory, name)
  try {
    writeFileSync(place('policy.json'), policy)
    writeFileSync(place('kubeconfig'), kubeconfig, { mode: 0o600 })
    const args = flags
      .replace('policy.json', place('policy.json'))
      .replace('=kubeconfig', `=${place('kubeconfig')}`)
      .split(' ')
    return await ended(program, args)
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}

/** What the program said last, once it has ended well. */
async function ended({ name, command, words }: Program, args: readonly string[]): Promise<string> {
  const child = spawn(command, [...words, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: '/usr/bin:/bin' },
    timeout: longestMs,
  })
  const tail: string[] = []
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      tail.push(...text.split('\n'))
      tail.splice(0, tail.length - 30)
    })
  const { promise, resolve, reject } = Promise.withResolvers<number | null>()
  child.once('error', reject)
  child.once('exit', resolve)
  const code = await promise
  if (code !== 0) throw new Error(`the descheduler (${name}) ended with ${code}: ${tail.join('\n')}`)
  return tail.join('\n')
}
