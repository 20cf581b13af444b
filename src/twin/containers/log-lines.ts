// What a container of the twin wrote: worked out from its runs and from what its pod says of it. The same cluster gives the same lines.
import { parseDurationMs } from '#kube/time/duration.ts'

/** On a pod (template): what its containers write, a rule a line. */
export const logAnnotation = 'ballast.dev/twin-log'

/** One start of a container, and its end where it has ended. */
export interface ContainerRun {
  readonly startedMs: number
  readonly ended?: { readonly atMs: number; readonly exitCode: number; readonly reason: string }
}

/** What the first line of a run tells. */
export interface ContainerWords {
  readonly name: string
  readonly image: string
  readonly pod: string
  readonly node: string
  /** The value of `ballast.dev/twin-log`. */
  readonly script: string | undefined
  /** Its program writes what it is told to: neither that it began nor how it ended. */
  readonly isShell?: boolean
}

export interface LogLine {
  readonly atMs: number
  readonly text: string
  /** It is the last of its run. */
  readonly isEnd?: true
}

/** Earlier lines are gone, as kubelets rotate logs away. */
const mostKeptLines = 10_000
/** What is more of an annotation is told by a line. */
const mostRules = 200
const leastEveryMs = 10

type Rule =
  | { readonly kind: 'after'; readonly delayMs: number; readonly text: string }
  | { readonly kind: 'every'; readonly periodMs: number; readonly text: string }
  | { readonly kind: 'exit'; readonly text: string }

/**
 * The lines of a run up to `untilMs` (Unix milliseconds), oldest first: that it started, what the annotation says, how it ended. A container that is
 * killed says nothing of it.
 */
export function logLines(run: ContainerRun, words: ContainerWords, untilMs: number): readonly LogLine[] {
  const { startedMs, ended } = run
  const lastMs = ended === undefined ? untilMs : Math.min(untilMs, Math.max(startedMs, ended.atMs))
  if (startedMs > untilMs) return []
  const rules = rulesOf(words)
  const first = `container ${words.name} of pod ${words.pod} started on node ${words.node}, image ${words.image}`
  const lines: LogLine[] = words.isShell === true ? [] : [{ atMs: startedMs, text: first }]
  const perMs = rules.reduce((sum, rule) => sum + (rule.kind === 'every' ? 1 / rule.periodMs : 0), 0)
  // A container that has run for long is not gone through from its start.
  const fromMs = perMs === 0 ? startedMs : Math.max(startedMs, lastMs - Math.ceil(mostKeptLines / perMs))
  for (const rule of rules) {
    if (rule.kind === 'after' && startedMs + rule.delayMs <= lastMs)
      lines.push({ atMs: startedMs + rule.delayMs, text: rule.text })
    if (rule.kind !== 'every') continue
    const { periodMs, text } = rule
    for (let count = Math.max(1, Math.ceil((fromMs - startedMs) / periodMs)); startedMs + count * periodMs <= lastMs; count++)
      lines.push({ atMs: startedMs + count * periodMs, text: text.replaceAll('{n}', String(count)) })
  }
  lines.sort((one, other) => one.atMs - other.atMs)
  if (ended !== undefined && ended.atMs <= untilMs) {
    const written = rules.flatMap(rule => (rule.kind === 'exit' && ended.exitCode !== 137 ? [rule.text] : []))
    const own = words.isShell === true ? undefined : endWords(ended.exitCode, ended.reason)
    for (const text of [...written, ...(own === undefined ? [] : [own])]) lines.push({ atMs: lastMs, text, isEnd: true })
  }
  return lines.slice(-mostKeptLines)
}

/** When the next line comes after `afterMs` where the run goes on; undefined where none comes by itself. */
export function nextLineMs({ startedMs }: ContainerRun, words: ContainerWords, afterMs: number): number | undefined {
  const times = rulesOf(words).flatMap(rule => {
    if (rule.kind === 'exit') return []
    if (rule.kind === 'after') return startedMs + rule.delayMs > afterMs ? [startedMs + rule.delayMs] : []
    const count = Math.max(1, Math.floor((afterMs - startedMs) / rule.periodMs) + 1)
    return [startedMs + count * rule.periodMs]
  })
  return times.length === 0 ? undefined : Math.min(...times)
}

/** SIGKILL, and with it an end for want of memory, leaves no time for words. */
function endWords(exitCode: number, reason: string): string | undefined {
  if (exitCode === 137 || reason === 'OOMKilled') return undefined
  if (exitCode === 0) return 'done'
  if (exitCode === 143) return 'received SIGTERM, ending'
  return `failed: exit code ${exitCode}`
}

/** The rules of one container; what cannot be read is a line that says so. */
function rulesOf({ script, name }: ContainerWords): readonly Rule[] {
  const given = (script ?? '').split('\n').map((text, index) => ({ text: text.trimEnd(), where: `line ${index + 1}` }))
  const rules = given
    .slice(0, mostRules)
    .filter(({ text }) => text.trim() !== '')
    .flatMap(({ text, where }) => ruleOf(text, where, name) ?? [])
  if (given.length <= mostRules) return rules
  return [...rules, atStart(`${logAnnotation}: ${given.length} lines were given; only the first ${mostRules} count`)]
}

/** `[CONTAINER] ` in front says whose line it is; then `every 10s: `, `after 5s: `, `on exit: `, or nothing, which is at once. */
function ruleOf(line: string, where: string, container: string): Rule | undefined {
  const [, owner, rest = line] = /^\[([a-z0-9-]+)\] (.*)$/.exec(line) ?? []
  if (owner !== undefined && owner !== container) return undefined
  const exit = /^on exit: ?(.*)$/.exec(rest)
  if (exit !== null) return { kind: 'exit', text: exit[1] ?? '' }
  const [, word, time = '', text = ''] = /^(every|after) (\S+): ?(.*)$/.exec(rest) ?? []
  if (word === undefined) return atStart(rest)
  const parsed = parseDurationMs(time)
  const leastMs = word === 'every' ? leastEveryMs : 0
  if (!parsed.ok || parsed.value < leastMs)
    return atStart(
      `${logAnnotation}, ${where}: ${word} ${JSON.stringify(time)} is no duration of at least ${leastMs}ms, such as 10s`,
    )
  return word === 'every' ? { kind: 'every', periodMs: parsed.value, text } : { kind: 'after', delayMs: parsed.value, text }
}

function atStart(text: string): Rule {
  return { kind: 'after', delayMs: 0, text }
}
