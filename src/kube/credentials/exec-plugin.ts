// Credentials from an exec plugin: a program that prints an ExecCredential. Run without a shell, one at a time, remembered
// until it expires or is refused.
import { spawn } from 'node:child_process'
import type { Clock } from '../clock.ts'
import { type Log, messageOf } from '../log.ts'
import { OutsideError } from '../outside-error.ts'
import type { ExecConfig } from './cluster-config.ts'

interface ExecCredential {
  readonly token: string | undefined
  readonly certificate: string | undefined
  readonly key: string | undefined
}

interface ExecPluginOptions {
  readonly exec: ExecConfig
  /** What a plugin is told of the cluster, where it asks for it. */
  readonly cluster: Readonly<Record<string, unknown>>
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly isTerminal: boolean
  readonly clock: Clock
  readonly log: Log
}

const outputLimitBytes = 1024 * 1024
const timeLimitMs = 60_000
/** How long before its end a credential is renewed. */
const earlyMs = 30_000
const backoffMs = 1000
const backoffCapMs = 60_000
const hintsAnHour = 10

export class ExecPlugin {
  readonly #options: ExecPluginOptions
  #credential: ExecCredential | undefined
  /** Wall time of its end; `undefined` when it has none. */
  #expiresMs: number | undefined
  #obtainedMs = Number.NEGATIVE_INFINITY
  #running: Promise<void> | undefined
  #failures = 0
  #failedMs = Number.NEGATIVE_INFINITY
  #failure: Error | undefined
  #hintedMs: number[] = []

  constructor(options: ExecPluginOptions) {
    this.#options = options
  }

  /** The credential, from the plugin where there is none that lasts. @throws Error `exec plugin <command>: <cause>` */
  async credential(): Promise<ExecCredential> {
    const { clock } = this.#options
    const leftMs = this.#expiresMs === undefined ? Number.POSITIVE_INFINITY : this.#expiresMs - clock.now()
    if (this.#credential !== undefined && leftMs > 0) {
      // Its end is near: the next one is fetched while this one still serves.
      if (leftMs <= earlyMs)
        this.#refresh().catch(error => this.#options.log.warn({ why: messageOf(error) }, 'credential not renewed early'))
      return this.#credential
    }
    await this.#refresh()
    if (this.#credential === undefined) throw new OutsideError(`exec plugin ${this.#options.exec.command}: no credential`)
    return this.#credential
  }

  /** A request begun at `sinceMs` (of `elapsed()`) was refused. True when a new credential is to be had. */
  invalidate(sinceMs: number): boolean {
    if (this.#obtainedMs <= sinceMs) this.#credential = undefined
    return true
  }

  #refresh(): Promise<void> {
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
    })
    return this.#running
  }

  async #run(): Promise<void> {
    const { clock, exec } = this.#options
    const waitMs = Math.min(backoffCapMs, backoffMs * 2 ** (this.#failures - 1))
    if (this.#failure !== undefined && clock.elapsed() - this.#failedMs < waitMs) throw this.#failure
    try {
      const { credential, expiresMs } = parseReply(await this.#output(), exec)
      this.#credential = credential
      this.#expiresMs = expiresMs
      this.#obtainedMs = clock.elapsed()
      this.#failures = 0
      this.#failure = undefined
    } catch (error) {
      this.#failures++
      this.#failedMs = clock.elapsed()
      this.#failure = new OutsideError(`exec plugin ${exec.command}: ${messageOf(error)}`)
      this.#hint()
      throw this.#failure
    }
  }

  #output(): Promise<string> {
    const { exec, environment, cluster, isTerminal, clock } = this.#options
    if (exec.interactiveMode === 'Always' && !isTerminal)
      throw new OutsideError('it needs a terminal (interactiveMode Always) and there is none')
    const isInteractive = exec.interactiveMode !== 'Never' && isTerminal
    const spec = { interactive: isInteractive, ...(exec.provideClusterInfo ? { cluster } : {}) }
    const information = JSON.stringify({ apiVersion: exec.apiVersion, kind: 'ExecCredential', spec })
    const added = Object.fromEntries(exec.env.map(({ name, value }) => [name, value]))
    const child = spawn(exec.command, exec.args, {
      env: { ...environment, ...added, KUBERNETES_EXEC_INFO: information },
      stdio: [isInteractive ? 'inherit' : 'ignore', 'pipe', 'inherit'],
      shell: false,
    })
    const { promise, resolve, reject } = Promise.withResolvers<string>()
    const chunks: Buffer[] = []
    let bytes = 0
    const cancel = clock.schedule(timeLimitMs, () => {
      child.kill('SIGKILL')
      reject(new OutsideError(`no answer within ${timeLimitMs / 1000} s`))
    })
    child.stdout.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      bytes += chunk.length
      if (bytes <= outputLimitBytes) return
      child.kill('SIGKILL')
      reject(new OutsideError(`it printed more than ${outputLimitBytes} bytes`))
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      if (code === 0) resolve(Buffer.concat(chunks).toString('utf8'))
      else reject(new OutsideError(code === null ? `it was ended by ${signal ?? 'a signal'}` : `it ended with code ${code}`))
    })
    return promise.finally(cancel)
  }

  #hint(): void {
    const { exec, log, clock } = this.#options
    if (exec.installHint === undefined) return
    const nowMs = clock.elapsed()
    this.#hintedMs = this.#hintedMs.filter(atMs => nowMs - atMs < 3_600_000)
    if (this.#hintedMs.length >= hintsAnHour) return
    this.#hintedMs.push(nowMs)
    log.warn({ command: exec.command }, exec.installHint)
  }
}

/** @throws Error saying what the reply lacks. */
function parseReply(
  text: string,
  exec: ExecConfig,
): { readonly credential: ExecCredential; readonly expiresMs: number | undefined } {
  const reply = recordOf(parsedJson(text), 'its answer is not an object')
  if (reply['apiVersion'] !== exec.apiVersion) {
    throw new OutsideError(`its answer has apiVersion ${String(reply['apiVersion'])}, the configuration has ${exec.apiVersion}`)
  }
  const status = recordOf(reply['status'], 'its answer has no status')
  const field = (name: string) => {
    const value = status[name]
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const [token, certificate, key] = [field('token'), field('clientCertificateData'), field('clientKeyData')]
  if ((certificate === undefined) !== (key === undefined))
    throw new OutsideError('exec plugin returned only certificate or key, not both')
  if (token === undefined && certificate === undefined) throw new OutsideError('its answer has neither a token nor a certificate')
  const expiry = field('expirationTimestamp')
  const expiresMs = expiry === undefined ? undefined : Date.parse(expiry)
  if (expiresMs !== undefined && Number.isNaN(expiresMs)) throw new OutsideError(`its expirationTimestamp is no time: ${expiry}`)
  return { credential: { token, certificate, key }, expiresMs }
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new OutsideError('its answer is not JSON', { cause: error })
  }
}

function recordOf(value: unknown, otherwise: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new OutsideError(otherwise)
  return value as Record<string, unknown>
}
