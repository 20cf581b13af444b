// `ballast why PodMetrics/NAME` and `NodeMetrics/NAME`: everybody who has a part in it is asked with the caller's rights, and the rules are
// played again on what its kubelet says.
import type { AskedKind, Explanation } from '#cli/account/explained-kinds.ts'
import { messageOf } from '#kube/log.ts'
import { apiServices } from '#kube/objects/api-service.ts'
import { at, listAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isForbidden, isNotFound } from '#kube/objects/status.ts'
import { isOutside } from '#kube/outside-error.ts'
import { CommandRefused } from '#process/surroundings.ts'
import { metricsConfiguration, nodeSelectorOf, pointRules } from '../config.ts'
import { type Explained, explain } from '../explained/explain.ts'
import type { ApiAnswer, KubeletReading, MetricsFacts } from '../explained/metrics-facts.ts'
import { pathAnnotation, servedApi } from '../names.ts'
import { pathOf } from '../scrape/kubelet-address.ts'

/** Kubelets measure each 10 to 15 s: then the second reading says something new. */
const betweenReadingsMs = 15_000
/** An answer of a kubelet through the API server. */
const readingMs = 10_000
const largestReading = 16 * 1024 * 1024
/** Other nodes that are asked for a pod that its own does not say. */
const mostOthers = 32

const measured = { group: servedApi.group, version: servedApi.version }

/** @throws CommandRefused where several pods have that name; what the API server refuses of pods and nodes */
export async function explainMetrics(asked: AskedKind): Promise<Explanation> {
  const facts = await gather(asked)
  return explanationOf(facts, await explain(facts))
}

async function gather(asked: AskedKind): Promise<MetricsFacts> {
  const { api, name, signal } = asked
  const kind = asked.kind === 'NodeMetrics' ? 'NodeMetrics' : 'PodMetrics'
  const config = metricsConfiguration.parse(asked.config ?? {})
  const pod = kind === 'PodMetrics' ? await podOf(asked) : undefined
  const namespace = kind === 'PodMetrics' ? (pod?.metadata.namespace ?? asked.namespace) : undefined
  const nodeName = kind === 'PodMetrics' ? pod?.spec.nodeName : name
  const node = nodeName === undefined ? undefined : await found(() => api.resource<Node>(builtIn.nodes).get(nodeName, { signal }))
  const isRead = node !== undefined && (kind === 'NodeMetrics' || pod?.status?.phase === 'Running')
  const readings = isRead ? await readingsOf(node, asked) : []
  const isTold = kind === 'NodeMetrics' || readings.some(one => one.kind === 'body' && one.body.includes(`"${name}"`))
  const others = isRead && readings.every(({ kind: of }) => of === 'body') ? await othersOf(node, isTold, asked) : []
  return {
    ...{ kind, name, namespace, pod, node, readings },
    api: await answerOf(kind, namespace, asked),
    service: await serviceOf(asked),
    others: await Promise.all(
      others.slice(0, mostOthers).map(async other => ({ node: other.metadata.name, reading: await readingOf(other, asked) })),
    ),
    unasked: Math.max(0, others.length - mostOthers),
    rules: pointRules(config),
    nodeSelector: nodeSelectorOf(config),
  }
}

/** The pod of that name; undefined where there is none. */
async function podOf({ api, name, namespace, signal }: AskedKind): Promise<Pod | undefined> {
  const pods = api.resource<Pod>(builtIn.pods)
  if (namespace !== undefined) return await found(() => pods.get(name, { namespace, signal }))
  const { items } = await pods.list({ fieldSelector: `metadata.name=${name}`, signal })
  if (items.length > 1)
    throw new CommandRefused(
      `there are ${items.length} of that name: ${items.map(({ metadata }) => `${metadata.namespace}/${name}`).join(', ')}; say which with -n NAMESPACE`,
    )
  return items[0]
}

async function found<T>(get: () => Promise<T>): Promise<T | undefined> {
  try {
    return await get()
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

async function readingsOf(node: Node, asked: AskedKind): Promise<readonly KubeletReading[]> {
  const first = await readingOf(node, asked)
  if (asked.isOnce || first.kind !== 'body') return [first]
  asked.say(
    `the kubelet of ${node.metadata.name} was read; it is read again in ${betweenReadingsMs / 1_000} s (--once does without)`,
  )
  await asked.clock.after(betweenReadingsMs, asked.signal)
  return [first, await readingOf(node, asked)]
}

async function readingOf({ metadata: { name, annotations } }: Node, { api, clock, signal }: AskedKind): Promise<KubeletReading> {
  const { path } = pathOf({ path: annotations?.[pathAnnotation] })
  const sentMs = clock.now()
  try {
    const options = { signal, timeoutMs: readingMs, mostBytes: largestReading }
    const body = await api.getBytes(`/api/v1/nodes/${encodeURIComponent(name)}/proxy${path}`, options)
    return { kind: 'body', body, sentMs, wallMs: clock.now(), elapsedMs: clock.elapsed() }
  } catch (error) {
    signal.throwIfAborted()
    if (isForbidden(error)) return { kind: 'forbidden', message: messageOf(error) }
    // What goes wrong at the kubelet is what is asked about; a fault of ours is not.
    if (isOutside(error) || (error instanceof Error && /larger than \d+ bytes/.test(error.message)))
      return { kind: 'silent', message: messageOf(error) }
    throw error
  }
}

/** Nodes that may say the pod as well: those with an address of its node, and all where its own node does not say it. */
async function othersOf(node: Node, isTold: boolean, { api, signal }: AskedKind): Promise<readonly Node[]> {
  const addresses = new Set(node.status?.addresses?.map(({ address }) => address))
  const nodes: Node[] = []
  try {
    for await (const page of api.resource<Node>(builtIn.nodes).pages({ signal })) nodes.push(...page.items)
  } catch (error) {
    // Without the right to list nodes only its own is looked at.
    if (!isForbidden(error)) throw error
  }
  const isShared = (other: Node) => other.status?.addresses?.some(({ address }) => addresses.has(address)) === true
  return nodes.filter(other => other.metadata.name !== node.metadata.name && (!isTold || isShared(other)))
}

async function answerOf(
  kind: MetricsFacts['kind'],
  namespace: string | undefined,
  { api, name, signal }: AskedKind,
): Promise<ApiAnswer> {
  const isPod = kind === 'PodMetrics'
  if (isPod && namespace === undefined) return { kind: 'refused', message: 'not asked: no namespace is known' }
  try {
    const resource = api.resource<KubeObject>({ ...measured, resource: isPod ? 'pods' : 'nodes' })
    const object = await resource.get(name, { namespace, signal, timeoutMs: readingMs })
    return { kind: 'served', timestamp: textAt(object, 'timestamp') ?? 'unknown', window: textAt(object, 'window') ?? 'unknown' }
  } catch (error) {
    signal.throwIfAborted()
    if (!isOutside(error)) throw error
    return { kind: 'refused', message: messageOf(error) }
  }
}

/** Who answers metrics.k8s.io and in which state; undefined where that may not be read, or nobody is registered. */
async function serviceOf({ api, signal }: AskedKind): Promise<string | undefined> {
  try {
    const registration = await api.resource<KubeObject>(apiServices).get(servedApi.name, { signal })
    const service = at(registration, 'spec', 'service')
    const name = textAt(service, 'name')
    const condition = listAt(registration, 'status', 'conditions').find(one => textAt(one, 'type') === 'Available')
    const isAway = condition !== undefined && textAt(condition, 'status') !== 'True'
    const state = isAway ? ` (not available: ${textAt(condition, 'message') ?? 'no reason'})` : ''
    return name === undefined ? undefined : `Service ${textAt(service, 'namespace') ?? ''}/${name}${state}`
  } catch (error) {
    if (isNotFound(error) || isForbidden(error)) return undefined
    throw error
  }
}

function explanationOf(facts: MetricsFacts, explained: Explained): Explanation {
  const { kind, namespace, name, api, service } = facts
  const subject = `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`
  const { rule, sentences, values, strict, lines } = explained
  const isServed = rule === 'served'
  const saidLine =
    api.kind === 'served' ? `It is served: of ${api.timestamp}, window ${api.window}.` : `It is not served: ${api.message}`
  const said = [...[saidLine, ...(service === undefined ? [] : [`${service} answers.`])], ...disagreement(isServed, api, facts)]
  const valueLines = values.map(
    ({ container, cpu, memory, timestamp, window }) =>
      `${container ?? 'the node'}: cpu ${cpu}, memory ${memory}, of ${timestamp}, window ${window}`,
  )
  return {
    isFound: rule !== 'no-such-pod' && rule !== 'no-such-node',
    sections: [
      {
        heading: subject,
        lines: [`Rule: ${rule}`, ...sentences, ...valueLines, ...(strict === undefined ? [] : [strict.sentence])],
      },
      { heading: 'What metrics.k8s.io says', lines: said },
      ...(lines.length === 0
        ? []
        : [
            {
              heading: 'What its kubelet says, by reading',
              isVerbatim: true,
              lines: lines.map(
                ({ reading, text, rejected }) =>
                  `${reading}. ${text}${rejected === undefined ? '' : `   <- rejected: ${rejected}`}`,
              ),
            },
          ]),
    ],
    document: {
      apiVersion: 'cli.ballast.dev/v1',
      kind: 'MetricsExplanation',
      subject,
      rule,
      isServed,
      sentences,
      values,
      strict: strict ?? null,
      api: { ...api, service: service ?? null },
      lines,
    },
  }
}

/** The server has other readings than these two: where it says otherwise, that is told. */
function disagreement(isServed: boolean, api: ApiAnswer, { kind, readings }: MetricsFacts): readonly string[] {
  const wasRead = readings.some(reading => reading.kind === 'body')
  if (isServed && api.kind === 'refused')
    return [
      'By these readings it would be served. Whoever answers has others: its own scrapes of this node may fail (ballast doctor metrics), or it has scraped it once.',
    ]
  if (!isServed && api.kind === 'served' && wasRead)
    return [
      `By these readings alone this ${kind === 'PodMetrics' ? 'pod' : 'node'} would not be served: whoever answers has earlier ones, or other rules.`,
    ]
  return []
}
