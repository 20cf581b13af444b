// Where a client's scenario is played: a real API server behind the recording proxy, or a twin. The scenario cannot tell which.
import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Agent, request } from 'undici'
import { parse } from 'yaml'
import type { ApiObject } from '../control-plane/api-client.ts'
import { atEnd } from '../endings.ts'
import { type CommandResult, runCommand } from '../run-command.ts'
import { setupAgent } from './proxy.ts'

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** A client that runs until it is told to end. */
export interface RunningClient {
  /** What it wrote so far. */
  readonly said: string
  readonly isRunning: boolean
  /** Ends it by SIGTERM, after 10 s by force; yields the exit code. */
  stop(): Promise<number>
}

interface KubeconfigContent {
  readonly clusters: readonly { readonly cluster: { readonly server: string; readonly 'certificate-authority-data': string } }[]
  readonly users: readonly {
    readonly user: { readonly 'client-certificate-data'?: string; readonly 'client-key-data'?: string }
  }[]
}

export class ClientSite implements AsyncDisposable {
  /** Kubeconfig of the administrator, by way of the proxy where there is one. */
  readonly kubeconfig: string
  /** An empty directory of the scenario's own, home of the client. */
  readonly directory: string
  readonly #server: string
  readonly #agent: Agent
  readonly #running: RunningClient[] = []

  constructor(kubeconfig: string, directory: string) {
    this.kubeconfig = kubeconfig
    this.directory = directory
    const { clusters, users }: KubeconfigContent = parse(readFileSync(kubeconfig, 'utf8'))
    const [cluster, user] = [clusters[0]?.cluster, users[0]?.user]
    if (cluster === undefined || user === undefined) throw new Error(`${kubeconfig} has no cluster or no user`)
    this.#server = cluster.server
    const decoded = (base64: string | undefined) => (base64 === undefined ? undefined : Buffer.from(base64, 'base64'))
    this.#agent = new Agent({
      connect: {
        ca: decoded(cluster['certificate-authority-data']),
        cert: decoded(user['client-certificate-data']),
        key: decoded(user['client-key-data']),
      },
    })
  }

  /** One request of the scenario's own, which must succeed. */
  async ask(method: Method, path: string, body?: unknown, contentType = typeOf(method)): Promise<ApiObject> {
    const answer = await request(`${this.#server}${path}`, {
      method,
      dispatcher: this.#agent,
      headers: { accept: 'application/json', 'content-type': contentType, 'user-agent': setupAgent },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await answer.body.text()
    if (answer.statusCode < 300) return JSON.parse(text) as ApiObject
    throw new Error(`${method} ${path}: ${answer.statusCode} ${text}`)
  }

  /** Asks for something until it is as wanted. @throws Error after `limitMs` */
  async until(what: string, look: () => Promise<boolean> | boolean, limitMs = 60_000): Promise<void> {
    const deadline = Date.now() + limitMs
    while (!(await look())) {
      if (Date.now() > deadline) throw new Error(`waited ${limitMs / 1000} s for ${what}`)
      await pause(250)
    }
  }

  get #environment(): Readonly<Record<string, string>> {
    return { KUBECONFIG: this.kubeconfig, HOME: this.directory, XDG_CACHE_HOME: join(this.directory, 'cache') }
  }

  /** Runs a client to its end. */
  run(program: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): Promise<CommandResult> {
    return runCommand(program, args, { env: { ...this.#environment, ...environment }, cwd: this.directory, timeoutMs: 90_000 })
  }

  /** Starts a client that goes on by itself. */
  start(program: string, args: readonly string[], environment: Readonly<Record<string, string>> = {}): RunningClient {
    const env = { ...process.env, ...this.#environment, ...environment }
    const client = new StartedClient(spawn(program, args, { env, cwd: this.directory, stdio: ['ignore', 'pipe', 'pipe'] }))
    this.#running.push(client)
    return client
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.map(client => client.stop()))
    await this.#agent.destroy()
  }
}

function typeOf(method: Method): string {
  return method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
}

const longestSaid = 200_000

class StartedClient implements RunningClient {
  readonly #child: ChildProcess
  #said = ''

  constructor(child: ChildProcess) {
    this.#child = child
    const take = (text: string) => {
      this.#said = (this.#said + text).slice(-longestSaid)
    }
    child.stdout?.setEncoding('utf8').on('data', take)
    child.stderr?.setEncoding('utf8').on('data', take)
    child.on('error', cause => take(`${cause.message}\n`))
    child.on('exit', this.#isOver)
  }

  readonly #isOver = atEnd(() => this.#child.kill('SIGKILL'))

  get said(): string {
    return this.#said
  }

  get isRunning(): boolean {
    return this.#child.pid !== undefined && this.#child.exitCode === null && this.#child.signalCode === null
  }

  async stop(): Promise<number> {
    if (this.isRunning) {
      const ended = new Promise(resolve => this.#child.once('exit', resolve))
      this.#child.kill('SIGTERM')
      const force = setTimeout(() => this.#child.kill('SIGKILL'), 60_000)
      await ended
      clearTimeout(force)
    }
    return this.#child.exitCode ?? -1
  }
}
