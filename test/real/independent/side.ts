// One of the two servers that a suite of other people's controllers runs against, and the controllers that run there.
import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { ClientSite } from '../clients/site.ts'
import { atEnd } from '../endings.ts'
import { ended } from '../metrics/servers.ts'
import type { Site } from '../other-people/sites.ts'
import type { CommandResult } from '../run-command.ts'
import { type Complaints, complaintsOf } from './complaints.ts'

interface Account {
  readonly namespace: string
  readonly name: string
}

interface StartedProgram {
  readonly name: string
  readonly child: ChildProcess
  readonly log: string
}

const accountSeconds = 7_200
const untilMs = 120_000

export class Side implements AsyncDisposable {
  readonly which: 'real' | 'twin'
  /** Where a suite writes files of its own. */
  readonly home: string
  readonly #site: Site
  readonly #client: ClientSite
  readonly #started: StartedProgram[] = []

  constructor(which: 'real' | 'twin', site: Site) {
    this.which = which
    this.home = site.home
    this.#site = site
    this.#client = new ClientSite(site.kubeconfig, site.home)
  }

  /** A file of this side. */
  write(name: string, text: string): string {
    const file = join(this.home, name)
    writeFileSync(file, text, { mode: 0o600 })
    return file
  }

  tryKubectl(...args: readonly string[]): Promise<CommandResult> {
    return this.#site.run('kubectl', args)
  }

  /** @returns standard output @throws Error where it fails */
  async kubectl(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.tryKubectl(...args)
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} on the ${this.which} server: ${stderr.trim() || stdout.trim()}`)
    return stdout
  }

  /** Applies objects as their field manager `suite`. */
  async apply(...objects: readonly object[]): Promise<string> {
    const file = this.write('applied.json', JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }))
    return await this.kubectl('apply', '--server-side', '--field-manager=suite', '--force-conflicts', '-f', file)
  }

  /** The same for what brings definitions of kinds: they are served when this is done. */
  async applyKinds(...objects: readonly object[]): Promise<void> {
    await this.apply(...objects)
    await this.kubectl('wait', 'crd', '--all', '--for=condition=Established', '--timeout=120s')
  }

  /** @throws Error that tells what programs complained of last, where it does not come to that */
  async until(what: string, holds: () => Promise<boolean> | boolean, limitMs = untilMs): Promise<void> {
    try {
      await this.#client.until(`${what} on the ${this.which} server`, holds, limitMs)
    } catch (cause) {
      throw new Error(`${what} on the ${this.which} server: ${[...this.complaints().keys()].slice(-10).join('\n')}`, { cause })
    }
  }

  /** A kubeconfig with a token of an account: the program has the rights that its people gave it, and no others. */
  async accountConfig({ namespace, name }: Account): Promise<string> {
    const token = await this.kubectl('create', 'token', name, '-n', namespace, `--duration=${accountSeconds}s`)
    const config = parse(readFileSync(this.#site.kubeconfig, 'utf8')) as { readonly users: readonly object[] }
    const users = config.users.map(user => ({ ...user, user: { token: token.trim() } }))
    return this.write(`${name}.kubeconfig`, JSON.stringify({ ...config, users }))
  }

  /** Starts a program that goes on until this side ends; all that it says goes to a file. */
  start(name: string, program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): void {
    const log = join(this.home, `${name}.log`)
    const output = openSync(log, 'a')
    const child = spawn(program, args, {
      cwd: this.home,
      stdio: ['ignore', output, output],
      env: { PATH: process.env['PATH'], HOME: this.home, TMPDIR: this.home, GOMAXPROCS: '2', ...env },
    })
    closeSync(output)
    child.on(
      'exit',
      atEnd(() => child.kill('SIGKILL')),
    )
    this.#started.push({ name, child, log })
  }

  /** @throws Error where a program has ended by itself */
  stillRunning(): void {
    for (const { name, child, log } of this.#started)
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined)
        throw new Error(`${name} ended on the ${this.which} server: ${readFileSync(log, 'utf8').slice(-3_000)}`)
  }

  /** Errors and warnings of all its programs so far. */
  complaints(): Complaints {
    return complaintsOf(this.#started.map(({ name, log }) => ({ name, text: readFileSync(log, 'utf8') })))
  }

  async endPrograms(): Promise<void> {
    await Promise.all(this.#started.map(({ child }) => ended(child)))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endPrograms()
    await this.#client[Symbol.asyncDispose]()
  }
}
