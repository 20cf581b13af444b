// What a driver makes of the cases of `test/nfs-driver-cases.ts`: each answer, the commands that came, and what then lies on the servers.

import { spawnSync } from 'node:child_process'
import { chmodSync, globSync, mkdirSync, rmSync, statfsSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { systemClock } from '#kube/clock.ts'
import type { CsiAnswer, CsiCall } from './csi-wire.ts'
import type { CallStep, DriverCase, Planted, Step } from './nfs-driver-cases.ts'
import { treeLines } from './nfs-export-tree.ts'

/** What a server does otherwise, or `umount` by that name. */
export interface Told {
  /** Before anything else. */
  readonly waitMs?: number
  /** Until it is told otherwise, and SIGTERM does not end it. */
  readonly hang?: boolean
  /** The same when its work is done, before it ends. Only the stand-in of `test/real/nfs` knows it. */
  readonly hangAfter?: boolean
  /** Text of the error with which it ends; it succeeds without. */
  readonly fail?: string
  /** Default 32, what mount(8) knows as a failed mount. */
  readonly code?: number
}

/** Where a driver is tried: servers that are folders, and a driver before them. */
export interface PlayedSite {
  /** It has folders `targets` and `work`. */
  readonly root: string
  readonly exports: string
  addShare(server: string, share: string): string
  tell(server: string, told: Told | undefined): void
  /** Programs that were called, in the order in which they began. */
  calls(): readonly { readonly program: string; readonly argv: readonly string[] }[]
  /** Mounts below `root` as `source on target (options)`. */
  mounts(): readonly string[]
}

export interface PlayedDriver extends AsyncDisposable {
  readonly client: { ask(call: CsiCall, request: Readonly<Record<string, unknown>>): Promise<CsiAnswer> }
}

export type StartPlayed = (flags: readonly string[]) => Promise<PlayedDriver>

/** `$site` stands for the site's folder, `$now` for a time of the run. */
export interface StepAnswer extends CsiAnswer {
  readonly call: string
  /** `mount …` and `umount …` as they were called, in order. */
  readonly commands: readonly string[]
  /** What came (`+`) and went (`-`) on the servers since the answer before. */
  readonly exports?: readonly string[]
  /** The same of the folder of targets. */
  readonly targets?: readonly string[]
  /** The same of mounts in the site. */
  readonly mounted?: readonly string[]
}

export interface CaseAnswers {
  readonly name: string
  readonly answers: readonly StepAnswer[]
}

/** What the driver that `start` starts in `site` makes of a case. */
export async function answersIn(site: PlayedSite, start: StartPlayed, one: DriverCase): Promise<CaseAnswers> {
  for (const share of one.shares ?? ['candlekeep/kubernetes']) {
    const [server = '', ...rest] = share.split('/')
    site.addShare(server, rest.join('/'))
  }
  const player = new Player(site, start)
  try {
    await player.start(one.flags ?? [])
    for (const step of one.steps) await player.play(step)
    return { name: one.name, answers: player.answers }
  } finally {
    await player.stop()
  }
}

/** Until a program is called for which a case waits. */
const longestWaitMs = 10_000

type Seen = Required<Pick<StepAnswer, 'exports' | 'targets' | 'mounted'>>

class Player {
  readonly answers: StepAnswer[] = []
  readonly #site: PlayedSite
  readonly #startDriver: StartPlayed
  readonly #ids = new Map<string, string>()
  #driver: PlayedDriver | undefined
  #calls = 0
  #seen: Seen = { exports: [], targets: [], mounted: [] }

  constructor(site: PlayedSite, start: StartPlayed) {
    this.#site = site
    this.#startDriver = start
  }

  async start(flags: readonly string[]): Promise<void> {
    this.#driver = await this.#startDriver(flags)
    this.#seen = this.#look()
  }

  async stop(): Promise<void> {
    await this.#driver?.[Symbol.asyncDispose]()
    this.#driver = undefined
  }

  async play(step: Step): Promise<void> {
    if ('plant' in step) this.#plant(step.plant)
    else if ('tell' in step) this.#site.tell(step.tell, step.told as Told | undefined)
    else if ('restart' in step) {
      await this.stop()
      await this.start(step.restart)
    } else if ('begin' in step) await this.#begin(step)
    else await this.#note(step, this.#ask(step))
  }

  async #begin({ begin, waitsFor, meanwhile }: Extract<Step, { readonly begin: CallStep }>): Promise<void> {
    const before = this.#site.calls().length
    const asked = this.#ask(begin)
    const isCalled = () =>
      this.#site
        .calls()
        .slice(before)
        .some(({ program }) => program === waitsFor)
    const untilMs = Date.now() + longestWaitMs
    while (!isCalled()) {
      if (Date.now() > untilMs) throw new Error(`${waitsFor} was not called`)
      await systemClock.after(5)
    }
    for (const step of meanwhile) await this.play(step)
    // The name of a server is that of its told file; whoever hangs goes on.
    for (const name of ['candlekeep', 'umount']) this.#site.tell(name, undefined)
    await this.#note(begin, asked)
  }

  #ask({ call, request }: CallStep): Promise<CsiAnswer> {
    if (this.#driver === undefined) throw new Error('the driver is not started')
    return this.#driver.client.ask(call, this.#filled(request) as Readonly<Record<string, unknown>>)
  }

  async #note(step: CallStep, asked: Promise<CsiAnswer>): Promise<void> {
    const { code, message, response } = await asked
    const id = idIn(response)
    if (step.as !== undefined && id !== undefined) this.#ids.set(step.as, id)
    const calls = this.#site.calls()
    const commands = calls
      .slice(this.#calls)
      .filter(({ program }) => program === 'mount' || program === 'umount')
      .map(({ program, argv }) => this.#named([program, ...argv].map(quoted).join(' ')))
    this.#calls = calls.length
    const seen = this.#look()
    const changed = Object.fromEntries(
      (['exports', 'targets', 'mounted'] as const).flatMap(kind => {
        const lines = changes(this.#seen[kind], seen[kind])
        return lines.length === 0 ? [] : [[kind, lines]]
      }),
    )
    this.#seen = seen
    this.answers.push({
      call: step.call,
      code,
      message: this.#named(message),
      ...(response === undefined ? {} : { response: this.#shown(response) as Readonly<Record<string, unknown>> }),
      commands,
      ...changed,
    })
  }

  #look(): Seen {
    return {
      exports: treeLines(this.#site.exports),
      targets: treeLines(join(this.#site.root, 'targets')),
      mounted: this.#site.mounts().map(line => this.#named(line)),
    }
  }

  /** Texts of a request with what they stand for. */
  #filled(value: unknown): unknown {
    if (typeof value === 'string')
      return value
        .replace('$targets', join(this.#site.root, 'targets'))
        .replace('$work', join(this.#site.root, 'work'))
        .replace(/\$(?:volume|snapshot):(\w+)/, (_, name: string) => {
          const id = this.#ids.get(name)
          if (id === undefined) throw new Error(`no step named ${name} was answered with an id`)
          return id
        })
    if (Array.isArray(value)) return value.map(one => this.#filled(one))
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, this.#filled(one)]))
  }

  #named(text: string): string {
    return text.replaceAll(this.#site.root, '$site')
  }

  /** An answer without what is of this machine and moment: times, sizes of its disk and of archives. */
  #shown(value: unknown, key = ''): unknown {
    if (typeof value === 'string') return this.#named(value)
    if (Array.isArray(value)) return value.map(one => this.#shown(one, key))
    if (typeof value !== 'object' || value === null) return value
    // The order of a map is of chance.
    const fields: Readonly<Record<string, unknown>> = Object.fromEntries(
      Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)),
    )
    if (key === 'creationTime') {
      const ageMs = Date.now() - Number(fields['seconds']) * 1_000
      return ageMs > -2_000 && ageMs < 60_000 ? '$now' : fields
    }
    if (key === 'usage') return this.#ofDisk(fields)
    const shown = Object.fromEntries(Object.entries(fields).map(([name, one]) => [name, this.#shown(one, name)]))
    if (this.#archiveBytes().has(Number(fields['sizeBytes']))) shown['sizeBytes'] = '$archive'
    return shown
  }

  /** Sizes of all archives: where one lies is not in an identifier whose fields have its separator. */
  #archiveBytes(): ReadonlySet<number> {
    const archives = globSync('**/*.{tar,tar.gz}', { cwd: this.#site.exports })
    return new Set(archives.map(name => statSync(join(this.#site.exports, name)).size))
  }

  #ofDisk(usage: Readonly<Record<string, unknown>>): unknown {
    const disk = statfsSync(this.#site.root)
    const isBytes = usage['unit'] === 'BYTES'
    const unit = isBytes ? disk.bsize : 1
    const figures = isBytes
      ? { available: disk.bavail, total: disk.blocks, used: disk.blocks - disk.bfree }
      : { available: disk.ffree, total: disk.files, used: disk.files - disk.ffree }
    const shown: Record<string, unknown> = { ...usage }
    // Others write to this disk as well.
    for (const [name, figure] of Object.entries(figures))
      if (Math.abs(Number(usage[name]) - figure * unit) < 0.02 * figures.total * unit) shown[name] = '$disk'
    return shown
  }

  #plant(planted: Readonly<Record<string, Planted | undefined>>): void {
    for (const [place, what] of Object.entries(planted)) {
      const path = place.startsWith('targets:')
        ? join(this.#site.root, 'targets', place.slice('targets:'.length))
        : join(this.#site.exports, place)
      mkdirSync(dirname(path), { recursive: true })
      if (what === undefined) rmSync(path, { recursive: true, force: true })
      else if (typeof what === 'string') writeFileSync(path, what)
      else if ('to' in what) symlinkSync(what.to, path)
      else {
        if (what.pipe === true) spawnSync('mkfifo', [path])
        else if (what.text === undefined) mkdirSync(path, { recursive: true })
        else writeFileSync(path, what.text)
        if (what.mode !== undefined) chmodSync(path, what.mode)
        if (what.modifiedMs !== undefined) utimesSync(path, what.modifiedMs / 1_000, what.modifiedMs / 1_000)
      }
    }
    this.#seen = this.#look()
  }
}

/** A line that is there twice counts twice. */
function changes(before: readonly string[], after: readonly string[]): readonly string[] {
  const left = [...before]
  const came = after.filter(line => {
    const at = left.indexOf(line)
    if (at >= 0) left.splice(at, 1)
    return at < 0
  })
  return [...left.map(line => `- ${line}`), ...came.map(line => `+ ${line}`)]
}

function idIn(response: Readonly<Record<string, unknown>> | undefined): string | undefined {
  for (const [holder, id] of [
    ['volume', 'volumeId'],
    ['snapshot', 'snapshotId'],
  ] as const) {
    const held = response?.[holder]
    if (typeof held === 'object' && held !== null) return String(Reflect.get(held, id))
  }
  return undefined
}

const quoted = (word: string) => (/^[^\s"'\\]+$/.test(word) ? word : JSON.stringify(word))
