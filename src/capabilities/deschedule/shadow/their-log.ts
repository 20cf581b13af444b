// Upstream's log as cycles: what it evicted (at `--v=1` and above), what it was refused, and at `--v=4` why it left a pod alone. Of a dry run
// this is all that is ever seen. Both formats of `--logging-format` are read; what is not the descheduler's is passed over.
import { fieldsIn, isFields, textIn } from '#cluster/loose-fields.ts'
import type { TheirAttempt } from './their-attempt.ts'

export interface TheirCycle {
  readonly attempts: readonly TheirAttempt[]
  /** By pod, as the other one says why it stays. */
  readonly stays: ReadonlyMap<string, readonly string[]>
  /** It evicts from a copy of the cluster. Unknown until something was evicted. */
  readonly isDryRun?: boolean
  /** The first of a dry run: upstream does not wait until its copy of the cluster is filled. Seen in a log from `--v=3` on. */
  readonly isHalfSeen?: true
}

interface LogEntry {
  readonly message: string
  readonly fields: Readonly<Record<string, string>>
}

/** A longer line is none of the descheduler's. */
const longestLine = 1_048_576
/** Reasons beyond these are not kept: a cycle of 150,000 pods says one for nearly each. */
const mostStays = 200_000

const evictedMessages = new Map([
  ['Evicted pod', false],
  ['Evicted pod in dry run mode', true],
])
const failedMessage = 'Error evicting pod'
const checksMessage = 'Pod fails the following checks'
/** Once, at the start of a dry run. */
const copyMessage = 'Building a cached client from the cluster for the dry run'
/** The last line of each cycle, whatever happened in it. */
const endMessage = 'Number of evictions/requests'

export class TheirLog {
  #attempts: TheirAttempt[] = []
  #stays = new Map<string, readonly string[]>()
  #isDryRun: boolean | undefined
  #isHalfSeen = false

  /** Takes in a line. @returns the cycle that it ends */
  add(line: string): TheirCycle | undefined {
    // klog writes it without quotes, as nothing but words.
    if (line.includes(copyMessage)) this.#isHalfSeen = true
    const entry = line.length > longestLine ? undefined : entryOf(line)
    if (entry === undefined) return undefined
    const { message, fields } = entry
    const isDryRun = evictedMessages.get(message)
    if (isDryRun !== undefined) {
      this.#isDryRun = isDryRun
      this.#attempts.push(attemptIn(fields))
    } else if (message === failedMessage && fields['pod'] !== undefined) {
      this.#attempts.push({ ...attemptIn(fields), failure: fields['err'] ?? 'the eviction failed' })
    } else if (message === checksMessage && fields['pod'] !== undefined && this.#stays.size < mostStays) {
      const known = this.#stays.get(fields['pod']) ?? []
      const checks = fields['checks'] ?? ''
      if (!known.includes(checks)) this.#stays.set(fields['pod'], [...known, checks])
    }
    return message === endMessage ? this.#take() : undefined
  }

  /** Whether something was evicted or refused since the last cycle ended. */
  get isWithin(): boolean {
    return this.#attempts.length > 0
  }

  /** The log is over. @returns the cycle in the middle of which it broke off */
  end(): TheirCycle | undefined {
    return this.isWithin ? this.#take() : undefined
  }

  #take(): TheirCycle {
    const [attempts, stays, isDryRun, isHalfSeen] = [this.#attempts, this.#stays, this.#isDryRun, this.#isHalfSeen]
    this.#attempts = []
    this.#stays = new Map()
    this.#isHalfSeen = false
    return { attempts, stays, ...(isDryRun !== undefined && { isDryRun }), ...(isHalfSeen && { isHalfSeen }) }
  }
}

function attemptIn({ pod = '', node, profile, strategy }: Readonly<Record<string, string>>): TheirAttempt {
  return { pod, ...(node ? { node } : {}), ...(profile ? { profile } : {}), ...(strategy ? { strategy } : {}) }
}

function entryOf(line: string): LogEntry | undefined {
  return line.startsWith('{') ? jsonEntry(line) : textEntry(line)
}

function jsonEntry(line: string): LogEntry | undefined {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch (error) {
    // A line that was cut, or another program's.
    if (error instanceof SyntaxError) return undefined
    throw error
  }
  if (!isFields(value)) return undefined
  const message = textIn(value, 'msg')
  if (message === undefined) return undefined
  const pod = fieldsIn(value, 'pod')
  const [name, namespace] = [textIn(pod, 'name'), textIn(pod, 'namespace')]
  const texts = Object.entries(value).flatMap(([key, field]) => (typeof field === 'string' ? [[key, field] as const] : []))
  const whole = name === undefined ? texts : [...texts, ['pod', `${namespace ?? 'default'}/${name}`] as const]
  return { message, fields: fieldsFrom(whole) }
}

/** `I1121 09:03:17.123456       1 evictions.go:587] "Evicted pod" pod="shop/web-1" …`, with or without what a log collector puts before. */
function textEntry(line: string): LogEntry | undefined {
  const [, quoted, rest = ''] = /\b[IWEF]\d{4} [^\]]{1,200}\] ("(?:[^"\\]|\\.)*")([\s\S]*)$/.exec(line) ?? []
  if (quoted === undefined) return undefined
  const pairs = [...rest.matchAll(/ ([\w.]+)=("(?:[^"\\]|\\.)*"|\S+)/g)]
  return {
    message: unquoted(quoted),
    fields: fieldsFrom(pairs.map(([, key = '', value = '']) => [key, unquoted(value)] as const)),
  }
}

/** Names come from a log: none of them is a property that was there before. */
function fieldsFrom(pairs: readonly (readonly [string, string])[]): Readonly<Record<string, string>> {
  return Object.assign(Object.create(null), Object.fromEntries(pairs))
}

/** A text as Go quotes it; bare words stay. What Go escapes and JSON does not stands as it is. */
function unquoted(text: string): string {
  if (!text.startsWith('"')) return text
  return text.slice(1, -1).replaceAll(/\\(["\\nt])/g, (_, escaped: string) => escapes[escaped] ?? escaped)
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t' }
