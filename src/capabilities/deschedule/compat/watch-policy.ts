// The policy file of a running process: read again when it changes (a ConfigMap's file changes by a link beside it). What cannot be used
// changes nothing: the older policy stays in force.
import { type FSWatcher, watch } from 'node:fs'
import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Cancel, Clock } from '#kube/clock.ts'
import { type Log, messageOf } from '#kube/log.ts'
import type { Problem } from '#kube/problem.ts'
import type { readPolicy } from './policy/read-policy.ts'

type PolicyReading = ReturnType<typeof readPolicy>

/** What became of a changed file. */
export type PolicyChange =
  | Extract<PolicyReading, { readonly ok: true }>
  | { readonly ok: false; readonly problems: readonly Problem[] }

interface PolicyWatchOptions {
  /** `--policy-config-file` */
  readonly path: string
  /** The text from which the policy in force was read. */
  readonly text: string
  /** Reads and checks a text; PriorityClasses may have changed since the start. What it throws is a refusal too. */
  readonly check: (text: string) => PolicyReading | Promise<PolicyReading>
  /** Called for each change, in order, never twice at once. It is for the receiver to say it, by log, metric and Event. */
  readonly onChange: (change: PolicyChange) => void
  readonly clock: Clock
  readonly log: Log
  /** Default: notices of the operating system where there are any, besides the regular look. */
  readonly notices?: boolean
}

/** What `readPolicy` takes: a ConfigMap holds no more. */
const largestPolicyBytes = 1_048_576
/** A regular look, for file systems that notify nobody. */
const lookMs = 10_000
/** A swap of links is several notices, and an editor may write in several steps. */
const settleMs = 500

/** Watches until disposed of; then nothing is told any more. */
export function watchPolicyFile(options: PolicyWatchOptions): Disposable {
  return new PolicyWatch(options)
}

/**
 * The text of a policy file. @throws Error where it cannot be read, or is larger than any ConfigMap
 */
export async function readPolicyFile(path: string): Promise<string> {
  await using file = await open(path)
  const bytes = new Uint8Array(largestPolicyBytes + 1)
  let length = 0
  for (;;) {
    const { bytesRead } = await file.read(bytes, length)
    length += bytesRead
    if (bytesRead === 0 || length === bytes.length) break
  }
  if (length > largestPolicyBytes) throw new Error(`${path}: larger than ${largestPolicyBytes} bytes`)
  return new TextDecoder().decode(bytes.subarray(0, length))
}

class PolicyWatch implements Disposable {
  readonly #options: PolicyWatchOptions
  /** What was judged last. */
  #text: string
  /** Why it could not be judged since; told once. */
  #fault: string | undefined
  #watcher: FSWatcher | undefined
  #cancelLook: Cancel = () => undefined
  #cancelRead: Cancel = () => undefined
  #isReading = false
  #isWanted = false
  #isOver = false

  constructor(options: PolicyWatchOptions) {
    this.#options = options
    this.#text = options.text
    const { path, log, clock, notices = true } = options
    if (notices) {
      try {
        this.#watcher = watch(dirname(path), { persistent: false }, () => this.#noticed())
        this.#watcher.on('error', error => log.warn({ path, why: messageOf(error) }, 'no notices of the policy file any more'))
      } catch (error) {
        log.warn({ path, why: messageOf(error) }, `no notices of the policy file: it is looked at every ${lookMs / 1000} s`)
      }
    }
    const look = () => {
      this.#cancelLook = clock.schedule(lookMs, look)
      this.#read()
    }
    this.#cancelLook = clock.schedule(lookMs, look)
  }

  [Symbol.dispose](): void {
    this.#isOver = true
    this.#watcher?.close()
    this.#cancelLook()
    this.#cancelRead()
  }

  #noticed(): void {
    this.#cancelRead()
    if (!this.#isOver) this.#cancelRead = this.#options.clock.schedule(settleMs, () => this.#read())
  }

  /** One reading at a time; a wish during one is another one after it. */
  #read(): void {
    this.#isWanted = true
    if (this.#isReading) return
    this.#isReading = true
    this.#readWhileWanted()
      .catch((error: unknown) => this.#options.log.error({ why: messageOf(error) }, 'a change of the policy could not be told'))
      .finally(() => (this.#isReading = false))
  }

  async #readWhileWanted(): Promise<void> {
    while (this.#isWanted && !this.#isOver) {
      this.#isWanted = false
      // What a disk and a check by the API server do is nothing a virtual clock can see.
      using _ = this.#options.clock.hold()
      const change = await this.#change()
      if (change !== undefined && !this.#isOver) this.#options.onChange(change)
    }
  }

  /** `undefined`: the text is as it was, whether it was good or bad. */
  async #change(): Promise<PolicyChange | undefined> {
    const { path, check } = this.#options
    try {
      const text = await readPolicyFile(path)
      if (text === this.#text && this.#fault === undefined) return undefined
      const change = await check(text)
      this.#text = text
      this.#fault = undefined
      return change
    } catch (error) {
      // Tried again at the next look: a file may be away for a moment, and so may the API server that is asked for PriorityClasses.
      const fault = messageOf(error)
      if (fault === this.#fault) return undefined
      this.#fault = fault
      const expected = 'a file with a DeschedulerPolicy that can be read and checked'
      return { ok: false, problems: [{ code: 'policy-unreadable', where: path, found: fault, expected }] }
    }
  }
}
