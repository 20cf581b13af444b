// By which rule a pod or node is served or left out: our own decoding and points, played again on what its kubelet says now. Pure.
import type { Pod } from '#kube/objects/objects.ts'
import { formatDuration, formatDurationMs } from '#kube/time/duration.ts'
import { formatTime } from '#kube/time/time.ts'
import { NoMetricsError, readExposition } from '../decode/exposition-text.ts'
import { KnownContainers } from '../decode/known-containers.ts'
import type { NodeReading, Reading, RejectedLine } from '../decode/reading.ts'
import { type ContainerUsage, freshFromMs, type PodAbsence, type PointRules, Points } from '../points/points.ts'
import { nanosBetween, splitNanos, type Usage } from '../points/usage-rate.ts'
import { finishedOf, isAbsence, isRunning } from '../served/metrics-api.ts'
import { bytesText, cpuText } from '../served/quantities.ts'
import type { KubeletReading, MetricsFacts } from './metrics-facts.ts'
import { linesOfNode, linesOfPod, type RawLine } from './raw-lines.ts'

/** The rule that decides. */
export type Rule =
  | 'served'
  | 'no-such-pod'
  | 'not-running'
  | 'no-such-node'
  | 'node-not-selected'
  | 'may-not-read'
  | 'node-silent'
  | 'no-metrics'
  | 'other-node'
  | 'untold'
  | 'all-ended'
  | 'incomplete'
  | 'line-rejected'
  | 'one-point'
  | 'counter-fell'

/** What is served of a container, or of the node where it has no name. */
interface Value {
  readonly container?: string
  readonly cpu: string
  readonly memory: string
  readonly timestamp: string
  readonly window: string
}

export interface Explained {
  readonly rule: Rule
  readonly sentences: readonly string[]
  readonly values: readonly Value[]
  /** Whether upstream's rules would serve it on the same readings; undefined where nothing was read. */
  readonly strict: { readonly isServed: boolean; readonly sentence: string } | undefined
  readonly lines: readonly (RawLine & { readonly reading: number })[]
}

export async function explain(facts: MetricsFacts): Promise<Explained> {
  const before = beforeReading(facts)
  if (before !== undefined) return told(...before)
  const played = await replayed(facts)
  if ('rule' in played) return played
  return facts.kind === 'PodMetrics' ? explainPod(facts, played) : explainNode(facts, played)
}

function told(rule: Rule, ...sentences: readonly string[]): Explained {
  return { rule, sentences, values: [], strict: undefined, lines: [] }
}

/** What is decided without the kubelet. */
function beforeReading(facts: MetricsFacts): readonly [Rule, ...string[]] | undefined {
  const { kind, name, pod, node, nodeSelector } = facts
  if (kind === 'PodMetrics') {
    if (pod === undefined) return ['no-such-pod', `There is no pod ${name}: only what is there is served.`]
    if (!isRunning(pod)) return ['not-running', `Its phase is ${pod.status?.phase ?? 'not known'}: only running pods are served.`]
  }
  const place = kind === 'PodMetrics' ? pod?.spec.nodeName : name
  if (node === undefined) return ['no-such-node', `There is no node ${place ?? ''}: nobody is asked.`]
  if (!nodeSelector.matches(node.metadata.labels ?? {}))
    return [
      'node-not-selected',
      `Node ${node.metadata.name} does not match the nodeSelector of the configuration: it is neither asked nor listed.`,
    ]
  return undefined
}

interface Played {
  readonly node: string
  readonly readings: readonly NodeReading[]
  readonly bodies: readonly Buffer[]
  readonly ours: Points
  readonly strict: Points
  readonly elapsedMs: number
}

type Body = Extract<KubeletReading, { readonly kind: 'body' }>

async function replayed({ readings, node, rules }: MetricsFacts): Promise<Played | Explained> {
  const name = node?.metadata.name ?? ''
  const failed = readings.find(reading => reading.kind !== 'body')
  if (failed?.kind === 'forbidden')
    return told(
      'may-not-read',
      `What the kubelet of ${name} says may not be read: ${failed.message}`,
      'Missing is the right to get nodes/proxy (core group). The rest is unknown without it.',
    )
  if (failed?.kind === 'silent') {
    const isReady = node?.status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') === true
    return told(
      'node-silent',
      `The kubelet of ${name} does not answer: ${failed.message}`,
      ...(isReady ? [] : [`Node ${name} is not Ready.`]),
      'What it last said is served until it is stale; then it is left out.',
    )
  }
  const bodies = readings.filter(reading => reading.kind === 'body')
  const played: NodeReading[] = []
  const known = new KnownContainers()
  const [ours, strict] = [new Points({ ...rules, isStrict: false }), new Points({ ...rules, isStrict: true })]
  for (const body of bodies) {
    try {
      const reading = await readExposition(body.body, { known, sentMs: body.sentMs })
      ours.store(name, reading, body)
      strict.store(name, reading, body)
      played.push(reading)
    } catch (error) {
      if (!(error instanceof NoMetricsError)) throw error
      return told('no-metrics', `The kubelet of ${name} answered with something else than metrics: ${error.message}`)
    }
  }
  const last = bodies.at(-1)
  return { node: name, readings: played, bodies: bodies.map(({ body }) => body), ours, strict, elapsedMs: last?.elapsedMs ?? 0 }
}

async function explainPod(facts: MetricsFacts, played: Played): Promise<Explained> {
  const { pod, namespace = '', name } = facts
  if (pod === undefined) throw new TypeError('a pod that is not there has no readings')
  const finished = finishedOf(pod)
  const found = played.ours.podUsage({ namespace, name }, finished, played.elapsedMs)
  const lines = await allLines(played, body => linesOfPod(body, { namespace, pod: name }))
  const elsewhere = await othersThatSay(facts)
  const strict = strictly(played.strict.podUsage({ namespace, name }, finished, played.elapsedMs), played)
  const rest = { strict, lines }
  if (!isAbsence(found)) {
    const sentences = [
      `Served: ${found.length} container${found.length === 1 ? '' : 's'}, by two points of each.`,
      ...untold(pod, played, facts),
    ]
    const doubled = elsewhere.map(node => `Node ${node} says this pod, too: who was stored first has it.`)
    return { rule: 'served', sentences: [...sentences, ...doubled], values: found.map(valueText), ...rest }
  }
  return { ...absent(found, facts, { played, lines, elsewhere }), values: [], ...rest }
}

interface PodContext {
  readonly played: Played
  readonly lines: Explained['lines']
  readonly elsewhere: readonly string[]
}

function absent(
  absence: PodAbsence,
  facts: MetricsFacts,
  { played, lines, elsewhere }: PodContext,
): Pick<Explained, 'rule' | 'sentences'> {
  switch (absence.kind) {
    case 'unknown': {
      const isTold = containersIn(played.readings.at(-1), facts).length > 0
      if (isTold)
        return {
          rule: 'all-ended',
          sentences: ['All containers that its kubelet says have ended: nothing runs that could be measured.'],
        }
      const rejected = lines.filter(line => line.rejected !== undefined)
      if (rejected.length > 0) return { rule: 'line-rejected', sentences: rejected.map(rejectedSentence) }
      if (elsewhere.length > 0)
        return {
          rule: 'other-node',
          sentences: [`Its node is ${played.node}, whose kubelet does not say it; the kubelet of ${elsewhere.join(', ')} does.`],
        }
      return {
        rule: 'untold',
        sentences: [
          `The kubelet of ${played.node} does not say it: it has not measured it yet, or does not know it.`,
          ...(facts.unasked > 0 ? [`${facts.unasked} other nodes were not asked for it.`] : []),
        ],
      }
    }
    case 'incomplete': {
      const { container } = absence
      const rejected = lines.filter(line => line.container === container && line.rejected !== undefined)
      const reading = containersIn(played.readings.at(-1), facts).find(one => one.container === container)
      const rule = rejected.length > 0 ? 'line-rejected' : 'incomplete'
      return {
        rule,
        sentences: [
          ...rejected.map(rejectedSentence),
          ...incomplete(`Container ${container}`, reading),
          'A part of the pod would pass for the whole: it is left out.',
        ],
      }
    }
    case 'waiting': {
      const of = played.readings.map(reading => containersIn(reading, facts).find(one => one.container === absence.container))
      return { rule: 'one-point', sentences: onePoint(`Container ${absence.container}`, of, facts.rules) }
    }
    case 'fell':
      return {
        rule: 'counter-fell',
        sentences: [
          `The CPU counter of container ${absence.container} fell without a restart: there is no rate until the next reading.`,
        ],
      }
    case 'stale':
      return { rule: 'node-silent', sentences: [`What ${absence.node} said is stale.`] }
  }
}

function containersIn(reading: NodeReading | undefined, { namespace, name }: Pick<MetricsFacts, 'namespace' | 'name'>) {
  return (reading?.containers ?? []).filter(one => one.namespace === namespace && one.pod === name)
}

const rejectedWords: Readonly<Record<RejectedLine, string>> = {
  syntax: 'it cannot be read',
  labels: 'its labels name no container',
  value: 'its value is no measurement',
  timestamp: 'its time is none',
  'too-many': 'the node has too many containers',
}

function rejectedSentence({ text, rejected }: RawLine): string {
  return `A line was rejected, since ${rejected === undefined ? 'it is not known why' : rejectedWords[rejected]}: ${text}`
}

function incomplete(what: string, reading: Reading | undefined): readonly string[] {
  const amount = (name: string, value: number | undefined) =>
    value === undefined ? [`${name} is not said`] : value === 0 ? [`${name} is 0`] : []
  const missing = [...amount('its CPU', reading?.cpuNs), ...amount('its memory', reading?.memoryBytes)]
  const start = reading?.startNs === undefined ? [', and since when it runs is not known'] : []
  return missing.length === 0 ? [] : [`${what}: ${missing.join(', ')}${start.join('')}.`]
}

/** From so many milliseconds on nobody counts in seconds. */
const longMs = 600_000

/** Why the last reading is not yet two points. */
function onePoint(what: string, of: readonly (Reading | undefined)[], { resolutionMs }: PointRules): readonly string[] {
  const last = of.at(-1)
  const before = of.length > 1 ? of[0] : undefined
  const seconds = (ms: number) =>
    ms < longMs ? `${Math.round(ms / 100) / 10} s` : formatDurationMs(Math.round(ms / 1_000) * 1_000)
  const startMs = last?.startNs === undefined ? undefined : splitNanos(last.startNs).ms
  const ageMs = last?.startNs === undefined ? undefined : nanosBetween(splitNanos(last.startNs), last.cpuMs) / 1e6
  const age =
    ageMs === undefined
      ? 'its start is not known, so that one point is not enough'
      : ageMs < freshFromMs
        ? `it was ${seconds(ageMs)} old then: its start counts as a point from ${seconds(freshFromMs)} on`
        : `it was ${seconds(ageMs)} old then: its start counts as a point only below the resolution, ${seconds(resolutionMs)}`
  const why =
    of.length < 2
      ? 'one reading was made'
      : before === undefined
        ? 'only the second reading has it'
        : before.cpuMs === last?.cpuMs
          ? 'both readings say the same measurement'
          : startMs !== undefined && startMs >= before.cpuMs
            ? 'it was restarted between the readings'
            : 'the later reading is of an earlier time'
  const hint = of.length < 2 ? ['A server that has read it before has the other point: leave --once away to see two.'] : []
  return [`${what} has one point, and a rate needs two: ${why}; ${age}.`, ...hint]
}

/** Containers of the pod that its kubelet passes over: the pod is served without them. */
function untold(pod: Pod, played: Played, facts: MetricsFacts): readonly string[] {
  const said = new Set(containersIn(played.readings.at(-1), facts).map(({ container }) => container))
  const missing = pod.spec.containers.filter(({ name }) => !said.has(name)).map(({ name }) => name)
  return missing.length === 0 ? [] : [`Its kubelet does not say ${missing.join(', ')}: the pod is served without.`]
}

async function othersThatSay({ others, namespace, name }: MetricsFacts): Promise<readonly string[]> {
  const found: string[] = []
  for (const { node, reading } of others) {
    if (reading.kind !== 'body') continue
    const said = await readingOf(reading)
    if (containersIn(said, { namespace, name }).length > 0) found.push(node)
  }
  return found
}

/** Undefined for what is no metrics. */
async function readingOf({ body, sentMs }: Body): Promise<NodeReading | undefined> {
  try {
    return await readExposition(body, { known: new KnownContainers(), sentMs })
  } catch (error) {
    if (error instanceof NoMetricsError) return undefined
    throw error
  }
}

function strictly(found: readonly ContainerUsage[] | PodAbsence, played: Played): Explained['strict'] {
  const rejected = rejectedIn(played)
  if (rejected > 0) return lostNode(played.node, rejected)
  if (!isAbsence(found)) return { isServed: true, sentence: "By upstream's rules (strict), it would be served." }
  return { isServed: false, sentence: `By upstream's rules (strict), it would not be served: ${strictWords(found)}.` }
}

function strictWords(absence: PodAbsence): string {
  switch (absence.kind) {
    case 'unknown':
      return 'nothing is known of it'
    case 'incomplete':
      return `container ${absence.container} lacks CPU or memory, or has 0 of it`
    case 'waiting':
      return `container ${absence.container} has one point`
    case 'fell':
      return `the counter of container ${absence.container} fell`
    case 'stale':
      return `what ${absence.node} said is stale`
  }
}

/** How many lines there are that upstream's decoder fails at; others it passes over. */
function rejectedIn({ readings }: Played): number {
  const fatal: readonly RejectedLine[] = ['syntax', 'value', 'timestamp']
  return readings.flatMap(({ rejected }) => fatal.map(why => rejected.get(why) ?? 0)).reduce((sum, count) => sum + count, 0)
}

function lostNode(node: string, rejected: number): NonNullable<Explained['strict']> {
  return {
    isServed: false,
    sentence: `By upstream's rules it would not be served: for ${rejected} line${rejected === 1 ? '' : 's'} that cannot be read it loses all of node ${node}.`,
  }
}

async function explainNode(facts: MetricsFacts, played: Played): Promise<Explained> {
  const usage = played.ours.nodeUsage(facts.name, played.elapsedMs)
  const strictUsage = played.strict.nodeUsage(facts.name, played.elapsedMs)
  const lines = await allLines(played, linesOfNode)
  const rejectedAnywhere = rejectedIn(played)
  const strict =
    rejectedAnywhere > 0
      ? lostNode(played.node, rejectedAnywhere)
      : {
          isServed: strictUsage !== undefined,
          sentence: `By upstream's rules (strict), it would ${strictUsage === undefined ? 'not ' : ''}be served.`,
        }
  const rest = { strict, lines }
  if (usage !== undefined) return { rule: 'served', sentences: ['Served, by two points.'], values: [shownUsage(usage)], ...rest }
  const of = played.readings.map(({ node }) => node)
  const last = of.at(-1)
  const rejected = lines.filter(line => line.rejected !== undefined)
  const missing = incomplete('The node', last).map(sentence => sentence.replace(', and since when it runs is not known', ''))
  if (missing.length > 0)
    return {
      rule: rejected.length > 0 ? 'line-rejected' : 'incomplete',
      sentences: [...rejected.map(rejectedSentence), ...missing, 'Its pods are served all the same.'],
      values: [],
      ...rest,
    }
  const fell = of.length > 1 && (last?.cpuMs ?? 0) > (of[0]?.cpuMs ?? 0) && (last?.cpuNs ?? 0) < (of[0]?.cpuNs ?? 0)
  if (fell)
    return {
      rule: 'counter-fell',
      sentences: ['The CPU counter of the node fell: there is no rate until the next reading.'],
      values: [],
      ...rest,
    }
  const sentences = onePoint('The node', of, facts.rules).map(sentence =>
    sentence.replace('; its start is not known, so that one point is not enough', ''),
  )
  return { rule: 'one-point', sentences, values: [], ...rest }
}

function valueText({ name, usage }: ContainerUsage): Value {
  return { container: name, ...shownUsage(usage) }
}

function shownUsage({ cpuNanocores, memoryBytes, timeMs, windowNs }: Usage): Value {
  return {
    cpu: cpuText(cpuNanocores),
    memory: bytesText(memoryBytes),
    timestamp: formatTime(timeMs),
    window: formatDuration(BigInt(windowNs)),
  }
}

async function allLines({ bodies }: Played, of: (body: Buffer) => Promise<readonly RawLine[]>): Promise<Explained['lines']> {
  const found = await Promise.all(
    bodies.map(async (body, index) => (await of(body)).map(line => ({ ...line, reading: index + 1 }))),
  )
  return found.flat()
}
