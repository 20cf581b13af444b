// Hostile requests against a twin with all its components, and what must hold meanwhile: each request has an answer that is a Status or an
// object, no fault of the twin is told, every kind can still be listed and watched, and a healthy Deployment still rolls out.
import { VirtualClock } from '#kube/clock.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { seededRandom } from '#kube/random.ts'
import { ResourceRegistry } from '#twin/api/resource-registry.ts'
import { testNodes } from '#twin/components/cluster-for-tests.ts'
import { isFields, listAt, numberAt, textAt } from '#twin/json-value.ts'
import { troubleText } from '#twin/trouble.ts'
import { startTwin, type Twin } from '#twin/twin.ts'
import { testDeployment } from '#twin/twin-for-tests.ts'
import { type HostileRequest, hostileRequest } from './requests.ts'
import { hostileDefinition, hostileSamples } from './samples.ts'

interface OnslaughtOptions {
  readonly seed: number
  readonly requests: number
  /** Told of each request before it is sent: which one it was that never came back. */
  readonly onRequest?: (request: HostileRequest) => void
}

interface Findings {
  readonly findings: readonly string[]
  /** Answers by their hundred: 2 for 2xx. */
  readonly answers: Readonly<Record<number, number>>
}

const startMs = Date.parse('2026-01-01T00:00:00Z')
const namespace = 'hostile'
/** After so many requests the cluster's time passes. */
const requestsAtOnce = 25
const mostSteps = 1_500
/** Milliseconds that one request may take of real time, as a sign that something grows with what was sent. */
const longestMs = 5_000

/** Sends the requests of `seed`; what did not hold is said, a line each. */
export async function onslaught({ seed, requests, onRequest }: OnslaughtOptions): Promise<Findings> {
  const random = seededRandom(seed)
  const samples = hostileSamples(namespace)
  const clock = new VirtualClock(startMs)
  const findings: string[] = []
  let last: HostileRequest | undefined
  const after = () => (last === undefined ? '' : ` (after ${shown(last)})`)
  await using twin = await startTwin({
    clock,
    wire: clock,
    seed,
    objects: [
      ...testNodes(3),
      hostileDefinition,
      namespaceObject,
      quota,
      ...samples
        .map(sample => ({ ...sample, metadata: { ...sample.metadata, name: sample.kind === 'Node' ? 'n9' : 'a' } }))
        .filter(({ kind }) => !rulers.has(kind)),
    ],
    ownKinds: true,
    authorization: 'AlwaysAllow',
    onTrouble: trouble =>
      findings.push(`${troubleText(trouble)}${after()}\n${trouble.error instanceof Error ? trouble.error.stack : ''}`),
  })
  const transport = twin.transport({ admin: true })
  const types = served(twin)
  const site = { types, samples, namespace, names: ['a', 'b', 'c', 'd', 'e'] }
  const answers: Record<number, number> = {}
  const stop = new AbortController()
  const send = async ({ verb, path, query, body, contentType, accept }: HostileRequest) => {
    const headers = {
      ...(contentType === undefined ? {} : { 'content-type': contentType }),
      ...(accept === undefined ? {} : { accept }),
    }
    const wanted = { verb, path, query, headers, ...(body === undefined ? {} : { body }), signal: stop.signal }
    if (query['watch'] === undefined) return await transport.request(wanted)
    return { ...(await transport.stream(wanted)), body: undefined }
  }
  for (let index = 0; index < requests; index++) {
    last = hostileRequest(site, random)
    onRequest?.(last)
    const startedMs = performance.now()
    const answer = await patiently(clock, send(last))
    const tookMs = performance.now() - startedMs
    if (tookMs > longestMs) findings.push(`took ${Math.round(tookMs)} ms: ${shown(last)}`)
    answers[Math.floor(answer.status / 100)] = (answers[Math.floor(answer.status / 100)] ?? 0) + 1
    if (answer.body !== undefined) {
      const fault = faultOf(answer.status, new TextDecoder().decode(answer.body), answer.headers)
      if (fault !== undefined) findings.push(`${shown(last)}: ${fault}`)
    }
    if (index % requestsAtOnce === requestsAtOnce - 1) await pass(clock, mostSteps)
  }
  await pass(clock, 4 * mostSteps)
  last = undefined
  findings.push(...(await stillAnswers(twin, types, send)))
  findings.push(...(await stillRollsOut(twin, clock, send)))
  if (Reflect.get({}, 'polluted') !== undefined) findings.push('the prototype of all objects was changed')
  stop.abort()
  return { findings, answers }
}

/** All that the twin serves; its own definitions are not replaced, since the twin itself reads them. */
function served(twin: Twin) {
  const registry = new ResourceRegistry()
  const custom = twin.access.list('customresourcedefinitions.apiextensions.k8s.io')
  return [...registry.all(), ...customTypes(custom)]
}

function customTypes(definitions: readonly KubeObject[]) {
  return definitions.flatMap(definition => {
    const spec = definition['spec']
    return listAt(spec, 'versions').map(version => ({
      group: textAt(spec, 'group') ?? '',
      version: textAt(version, 'name') ?? '',
      kind: textAt(spec, 'names', 'kind') ?? '',
      plural: textAt(spec, 'names', 'plural') ?? '',
      singular: textAt(spec, 'names', 'singular') ?? '',
      shortNames: [],
      categories: [],
      isNamespaced: textAt(spec, 'scope') === 'Namespaced',
      verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
      subresources: ['status', 'scale'].map(name => ({
        name,
        kind: textAt(spec, 'names', 'kind') ?? '',
        verbs: ['get', 'patch', 'update'],
      })),
      key: definition.metadata.name,
      storageVersion: textAt(version, 'name') ?? '',
    }))
  })
}

/** Answers that wait (for a revision, for a body) wait on the twin's clock, which only goes when it is told. */
async function patiently<T>(clock: VirtualClock, answer: Promise<T>): Promise<T> {
  let isOver = false
  const done = answer.finally(() => {
    isOver = true
  })
  done.catch(() => undefined)
  for (let turn = 0; !isOver; turn++) {
    await new Promise(setImmediate)
    // A request that waits for a revision holds the cluster's time, which is the connection's here.
    if (turn > 20) clock.step()
  }
  return await done
}

async function pass(clock: VirtualClock, most: number): Promise<void> {
  const untilMs = clock.elapsed() + 120_000
  for (let step = 0; step < most && clock.elapsed() < untilMs; step++) {
    await clock.quiet()
    if (!clock.step()) return
  }
}

type Send = (request: HostileRequest) => Promise<{ readonly status: number; readonly body: Uint8Array | undefined }>

async function stillAnswers(twin: Twin, types: ReturnType<typeof served>, send: Send): Promise<readonly string[]> {
  const findings: string[] = []
  for (const type of types.filter(({ verbs }) => verbs.includes('list'))) {
    const path = `${type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`}/${type.plural}`
    for (const accept of ['application/json', 'application/json;as=Table;v=v1;g=meta.k8s.io', 'application/yaml']) {
      const { status, body } = await send({ verb: 'GET', path, query: {}, accept })
      // What a hostile definition or APIService took away is gone by right.
      if (status !== 200 && twin.access.resources().includes(type.key) && !(status === 503 && type.group !== ''))
        findings.push(`list of ${path} as ${accept}: ${status} ${new TextDecoder().decode(body).slice(0, 300)}`)
    }
  }
  return findings
}

async function stillRollsOut(twin: Twin, clock: VirtualClock, send: Send): Promise<readonly string[]> {
  // What a user may break by right is put away first: hostile nodes, webhooks, quotas and policies rule for everybody.
  for (const path of rulesForAll) await patiently(clock, send({ verb: 'DELETE', path, query: {} }))
  for (const node of testNodes(3))
    await patiently(
      clock,
      send({ verb: 'POST', path: '/api/v1/nodes', query: {}, body: JSON.stringify(node), contentType: 'application/json' }),
    )
  await pass(clock, mostSteps)
  twin.load([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'healthy' } }, ...testNodes(3)])
  await pass(clock, mostSteps)
  const deployment = { ...testDeployment('well', 2), metadata: { name: 'well', namespace: 'healthy' } }
  const created = await patiently(
    clock,
    send({
      verb: 'POST',
      path: '/apis/apps/v1/namespaces/healthy/deployments',
      query: {},
      body: JSON.stringify(deployment),
      contentType: 'application/json',
    }),
  )
  if (created.status !== 201)
    return [`a healthy Deployment was answered ${created.status} ${new TextDecoder().decode(created.body)}`]
  for (let round = 0; round < 20; round++) {
    await pass(clock, mostSteps)
    const found = twin.access.get('deployments.apps', 'healthy', 'well')
    if (numberAt(found, 'status', 'availableReplicas') === 2) return []
  }
  const found = twin.access.get('deployments.apps', 'healthy', 'well')
  const pods = twin.access.list('pods', 'healthy').map(pod => JSON.stringify(pod['status']))
  return [`a healthy Deployment did not roll out: ${JSON.stringify(found?.['status'])} ${pods.join(' ')}`]
}

const rulesForAll = [
  '/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations',
  '/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations',
  '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies',
  '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings',
  '/apis/ballast.dev/v1alpha1/twinfaults',
  '/apis/ballast.dev/v1alpha1/twinstages',
  '/apis/ballast.dev/v1alpha1/twinclocks',
  '/api/v1/nodes',
]

/** Kinds that rule over others or have names of their own. */
const rulers = new Set([
  'CustomResourceDefinition',
  'APIService',
  'TwinFault',
  'TwinClock',
  'TwinStage',
  'ResourceQuota',
  'LimitRange',
  'Namespace',
  'ValidatingAdmissionPolicy',
])
const namespaceObject: KubeObject = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } }
/** A workload may ask for 2,147,483,647 pods by right. */
const quota: KubeObject = {
  apiVersion: 'v1',
  kind: 'ResourceQuota',
  metadata: { name: 'enough', namespace },
  spec: { hard: { pods: '40', 'count/jobs.batch': '40' } },
}

/** What is wrong with an answer; undefined: it is a Status of its own code, or an object. */
function faultOf(status: number, text: string, headers: Readonly<Record<string, string>>): string | undefined {
  if (status < 200 || status > 599) return `status ${status}`
  // Upstream answers some bad requests with a bare 500; one with this reason is a fault.
  if (text.includes('"reason":"InternalError"') && !/webhook|refused by a fault of the twin/.test(text))
    return `500: ${text.slice(0, 500)}`
  const type = headers['content-type'] ?? ''
  if (type.includes('yaml') || type.includes('text/plain') || type.includes('protobuf'))
    return text === '' && status >= 300 ? 'no words' : undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    return `${status} with what is no JSON: ${text.slice(0, 200)}`
  }
  if (!isFields(value)) return `${status} with no object: ${text.slice(0, 200)}`
  if (status < 300) return typeof value['kind'] === 'string' ? undefined : `${status} without a kind: ${text.slice(0, 200)}`
  return value['kind'] === 'Status' && value['code'] === status
    ? undefined
    : `${status} with another Status: ${text.slice(0, 200)}`
}

function shown({ verb, path, query, body, contentType, accept }: HostileRequest): string {
  const asked = Object.keys(query).length === 0 ? '' : `?${new URLSearchParams(query)}`.slice(0, 200)
  return `${verb} ${path}${asked} ${contentType ?? accept ?? ''} ${(body ?? '').slice(0, 1500)}`
}
