// A real process of `ballast controller`, with nothing but its ServiceAccount's token.
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse, stringify } from 'yaml'
import { systemClock } from '#kube/clock.ts'
import { writePrivately } from '../src/cli/source/private-file.ts'
import { commandLine } from './cli/bundled.ts'

/** A directory of the test's own with a kubeconfig whose only user is a bearer token. */
export function tokenKubeconfig(adminKubeconfig: string, token: string): { readonly file: string } & Disposable {
  const directory = mkdtempSync(join(tmpdir(), 'ballast-controller-'))
  const file = join(directory, 'kubeconfig')
  const config: {
    readonly clusters: unknown
    readonly contexts: readonly { readonly name: string; readonly context: object }[]
  } = parse(adminKubeconfig)
  writePrivately(
    file,
    stringify({
      ...config,
      contexts: config.contexts.map(({ name, context }) => ({ name, context: { ...context, user: 'controller' } })),
      users: [{ name: 'controller', user: { token } }],
    }),
  )
  return { file, [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }) }
}

export interface End {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export class ControllerProcess {
  readonly #child: ChildProcess
  readonly #lines: string[] = []
  readonly ended: Promise<End>

  /** `hold` has it serve its own webhooks on loopback, so that replacements wait at a gate; `flags` say otherwise or more. */
  constructor(kubeconfig: string, landing: 'prefer' | 'hold' = 'prefer', flags: readonly string[] = []) {
    const webhooks = landing === 'hold' ? ['--webhook-host', '127.0.0.1', '--webhook-port', '0'] : []
    const args = [commandLine, 'controller', '--kubeconfig', kubeconfig, '--install-crds', 'never', ...webhooks, ...flags]
    // Nothing of this process's environment leads to another cluster.
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'pipe'], env: { PATH: process.env['PATH'] } })
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#lines.push(text))
    this.ended = new Promise(resolve => {
      this.#child.once('exit', (code, signal) => resolve({ code, signal }))
    })
  }

  get log(): string {
    return this.#lines.join('')
  }

  /** False from its end on, or from the signal that was sent to it. */
  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null && !this.#child.killed
  }

  /** Processes that it started and that still run. Linux only: elsewhere there are none. */
  get children(): readonly number[] {
    const { pid } = this.#child
    try {
      const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim()
      return text === '' ? [] : text.split(' ').map(Number)
    } catch {
      return [] // it has ended
    }
  }

  /** The most memory that it had, in MiB. Linux only: elsewhere 0. */
  get peakMiB(): number {
    try {
      const [, kilobytes] = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8')) ?? []
      return Number(kilobytes ?? 0) / 1024
    } catch {
      return 0 // it has ended
    }
  }

  /** Stops it as it is, until it goes on. */
  pause(): void {
    process.kill(this.pid, 'SIGSTOP')
  }

  goOn(): void {
    process.kill(this.pid, 'SIGCONT')
  }

  /** @throws Error where it was not started */
  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the process was not started')
    return this.#child.pid
  }

  kill(signal: 'SIGHUP' | 'SIGKILL' | 'SIGTERM'): void {
    this.#child.kill(signal)
  }
}

/** Whether a process that is not ours runs still; one that has ended and waits to be buried does not. */
export function runs(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}

/** Resolves when `holds`; looks every `pollMs`. @throws Error with `what` after `limitMs`. */
export async function until(what: () => string, holds: () => boolean, limitMs: number, pollMs = 100): Promise<void> {
  const untilMs = systemClock.elapsed() + limitMs
  while (!holds()) {
    if (systemClock.elapsed() > untilMs) throw new Error(`not after ${limitMs / 1000} s: ${what()}`)
    await systemClock.after(pollMs)
  }
}
