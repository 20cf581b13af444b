// Asks every kubelet by every type of address that its node has, and the API server about what belongs to it. Nothing is written.
import { readFile } from 'node:fs/promises'
import type { LookOptions } from '#doctor/capability-findings.ts'
import { ClusterReader } from '#doctor/cluster-reader.ts'
import { ofKind } from '#doctor/facts.ts'
import { Credentials } from '#kube/credentials/credentials.ts'
import { messageOf, silentLog } from '#kube/log.ts'
import { serviceOf } from '#kube/objects/api-service.ts'
import { listAt, numberAt, textAt } from '#kube/objects/object-fields.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn, type GroupVersionResource } from '#kube/objects/resource.ts'
import { addressRules, type MetricsConfig, metricsConfiguration } from '../config.ts'
import { KnownContainers } from '../decode/known-containers.ts'
import { handoverUntilMs, nothingSeen } from '../handover.ts'
import { pathAnnotation, servedApi } from '../names.ts'
import { pinsName } from '../pins/pin-rules.ts'
import { openKubelets } from '../scrape/kubelet-access.ts'
import { pathOf, urlHost } from '../scrape/kubelet-address.ts'
import { isFailure, type KubeletClient } from '../scrape/kubelet-client.ts'
import { contactKubelet } from './kubelet-contact.ts'
import type { Contact, KubeletAnswer, KubeletFacts, PendingRequest, PinFacts, ServedBy, Tried } from './kubelet-facts.ts'
import { judgeKubelets, verifies } from './kubelet-judgement.ts'

/** Connections under way. */
const contactsInFlight = 16
/** To see one certificate, and as much again to hear what its kubelet says. */
const contactMs = 3_000
/** For all of them: what was not tried then is told as such. */
const allContactsMs = 120_000
/** Addresses of one node that are tried, one of each type. */
const mostAddresses = 8
const clientNames = { authority: 'certificateAuthority', certificate: 'clientCertificate', key: 'clientKey' }

const requests: GroupVersionResource = {
  group: 'certificates.k8s.io',
  version: 'v1',
  resource: 'certificatesigningrequests',
}
const servingSigner = 'kubernetes.io/kubelet-serving'

/** What was seen, and what may not be read. @throws `signal.reason`; Error where the cluster cannot be read */
export async function gatherKubelets(
  options: LookOptions,
  limits = { contactMs, allContactsMs },
): Promise<KubeletFacts & { readonly unread: ClusterReader['unread'] }> {
  const { facts, api, clock, signal } = options
  const reader = new ClusterReader({ api, signal })
  const nodes = ofKind(facts, 'Node')
  const names = new Set(nodes.map(({ metadata }) => metadata.name))
  const found = await reader.list({ resource: requests, fieldSelector: `spec.signerName=${servingSigner}` })
  const isPendingRead = reader.unread.length === 0
  const given = facts.ours?.configurations['metrics']
  const config = metricsConfiguration.parse(given ?? {})
  const { authority, file, notes } = await authorityOf(config, options)
  await using client = await clientOf(options, file, limits.contactMs)
  const places = nodes.flatMap(node => placesOf(node, config))
  return {
    nowMs: clock.now(),
    nodes: [...names],
    tried: await triedAll(places, { ...options, authority, client, limits }),
    pending: found.filter(isPending).map(request => pendingOf(request, names)),
    isPendingRead,
    servedBy: servedBy(facts, clock.now()),
    pinning: config.kubelet.tls === 'pin' ? await pinningOf(reader, facts, nodes) : undefined,
    order: config.kubelet.preferredAddressTypes,
    orderFrom: given === undefined ? 'defaults' : 'configuration',
    notes,
    unread: reader.unread,
  }
}

/** What is pinned, where that may be read. */
async function pinningOf(reader: ClusterReader, { ours }: LookOptions['facts'], nodes: readonly KubeObject[]): Promise<PinFacts> {
  const namespace = ours?.namespace ?? ''
  const unreadBefore = reader.unread.length
  const [found] = await reader.list({ resource: builtIn.configmaps, namespace, fieldSelector: `metadata.name=${pinsName}` })
  const isRead = reader.unread.length === unreadBefore
  return {
    namespace,
    pins: isRead
      ? Object.fromEntries(Object.entries(Object(found?.['data'])).map(([name, text]) => [name, String(text)]))
      : undefined,
    uids: new Map(nodes.map(({ metadata: { name, uid = '' } }) => [name, uid])),
  }
}

interface Trust {
  readonly authority: string | undefined
  /** Its path; empty where it is the cluster's. */
  readonly file: string
  readonly notes: readonly string[]
}

/** By whom kubelets' certificates are judged: the file of the configuration where it is here, else the cluster's authority. */
async function authorityOf({ kubelet }: MetricsConfig, options: LookOptions): Promise<Trust> {
  const { config, clock, environment } = options
  const notes: string[] = []
  const { certificateAuthority: path } = kubelet
  if (kubelet.insecureTls)
    notes.push('capabilities.metrics.kubelet.insecureTls is set: no certificate is checked when kubelets are scraped')
  if (path !== '') {
    try {
      return { authority: await readFile(path, 'utf8'), file: path, notes }
    } catch (error) {
      notes.push(
        `capabilities.metrics.kubelet.certificateAuthority cannot be read here (${messageOf(error)}): certificates are judged by the authority of the API server`,
      )
    }
  }
  const { authority } = await new Credentials(config, { clock, log: silentLog, environment, isTerminal: false }).tls()
  if (authority === undefined)
    notes.push(`${config.source} names no certificate authority: certificates are judged by those of this machine`)
  return { authority, file: '', notes }
}

/** It checks certificates whatever the kubeconfig says of the API server's. */
async function clientOf(
  { config, clock, environment, dial }: LookOptions,
  authorityFile: string,
  requestTimeoutMs: number,
): Promise<KubeletClient> {
  const files = { authorityFile, certificateFile: '', keyFile: '' }
  return await openKubelets(
    { requestTimeoutMs, isInsecure: false, isPlain: false, ...files, format: 'text', gzip: false },
    { ...config, tls: { ...config.tls, isInsecure: false } },
    { clock, log: silentLog, environment, dial, names: clientNames },
  )
}

interface Place {
  readonly node: string
  readonly type: string
  readonly address: string
  readonly port: number
  readonly path: string
}

/** The first address of each type, as it would be asked. */
function placesOf(node: KubeObject, config: MetricsConfig): readonly Place[] {
  const rules = addressRules(config)
  const said = numberAt(node, 'status', 'daemonEndpoints', 'kubeletEndpoint', 'Port') ?? 0
  const port = rules.useNodeStatusPort && said !== 0 ? said : rules.port
  const { path } = pathOf({ path: node.metadata.annotations?.[pathAnnotation] })
  const addresses = listAt(node, 'status', 'addresses').flatMap(one => {
    const [type, address] = [textAt(one, 'type'), textAt(one, 'address')]
    return type === undefined || address === undefined ? [] : [{ type, address }]
  })
  const first = addresses.filter(({ type }, index) => addresses.findIndex(other => other.type === type) === index)
  return first.slice(0, mostAddresses).map(one => ({ node: node.metadata.name, ...one, port, path }))
}

interface Trying extends LookOptions {
  readonly authority: string | undefined
  readonly client: KubeletClient
  readonly limits: { readonly contactMs: number; readonly allContactsMs: number }
}

async function triedAll(places: readonly Place[], trying: Trying): Promise<readonly Tried[]> {
  const { clock, limits } = trying
  const untilMs = clock.elapsed() + limits.allContactsMs
  const found = new Map<number, Tried>()
  const left = places.entries()
  const lane = async () => {
    for (const [index, place] of left) {
      const { node, type, address, port } = place
      const isLate = clock.elapsed() >= untilMs
      const contact: Contact = isLate ? { kind: 'unreached', why: 'untried', message: '' } : await contactOf(place, trying)
      const tried = { node, type, address, port, contact }
      const answer = isLate ? undefined : await answerOf(tried, place, trying)
      found.set(index, { ...tried, ...(answer === undefined ? {} : { answer }) })
    }
  }
  await Promise.all(Array.from({ length: contactsInFlight }, lane))
  return places.flatMap((_, index) => found.get(index) ?? [])
}

async function contactOf({ address, port }: Place, { authority, clock, dial, signal, limits }: Trying): Promise<Contact> {
  return await contactKubelet(address, port, { authority, limitMs: limits.contactMs, clock, dial, signal })
}

/** Who we are is said only where the certificate verified, on a connection that checks it again. */
async function answerOf(tried: Tried, { path }: Place, { client, clock, signal }: Trying): Promise<KubeletAnswer | undefined> {
  const alone = {
    nodes: [],
    tried: [tried],
    pending: [],
    servedBy: undefined,
    order: [],
    orderFrom: 'defaults',
    notes: [],
  } as const
  if (!judgeKubelets({ ...alone, nowMs: clock.now() }).rows.every(verifies)) return undefined
  const url = `https://${urlHost(tried.address)}:${tried.port}${path}`
  const answer = await client.scrape(url, new KnownContainers(), signal)
  return isFailure(answer)
    ? { kind: 'refused', reason: answer.reason, message: answer.message }
    : { kind: 'served', containers: answer.containers.length }
}

function isPending(request: KubeObject): boolean {
  return listAt(request, 'status', 'conditions').length === 0 && textAt(request, 'status', 'certificate') === undefined
}

const nodeUser = 'system:node:'

/** It is a kubelet's only where that asked in its own name, as a member of the group of nodes. */
function pendingOf(request: KubeObject, nodes: ReadonlySet<string>): PendingRequest {
  const by = textAt(request, 'spec', 'username') ?? ''
  const node = by.startsWith(nodeUser) ? by.slice(nodeUser.length) : ''
  const isKubelet = nodes.has(node) && listAt(request, 'spec', 'groups').includes('system:nodes')
  const sinceMs = Date.parse(request.metadata.creationTimestamp ?? '')
  return { name: request.metadata.name, node: isKubelet ? node : undefined, by, sinceMs: Number.isNaN(sinceMs) ? 0 : sinceMs }
}

/** Undefined where the API is not registered, or registrations may not be read. */
function servedBy({ objects, ours }: LookOptions['facts'], nowMs: number): ServedBy | undefined {
  const registration = objects.find(({ kind, metadata }) => kind === 'APIService' && metadata.name === servedApi.name)
  if (registration === undefined) return undefined
  const service = serviceOf(registration)
  const condition = listAt(registration, 'status', 'conditions').find(one => textAt(one, 'type') === 'Available')
  const strictUntilMs =
    service === undefined || service.namespace !== ours?.namespace
      ? undefined
      : handoverUntilMs(nothingSeen, registration, service, nowMs)
  return {
    service: service === undefined ? undefined : `${service.namespace}/${service.name}`,
    isAvailable: condition === undefined ? undefined : textAt(condition, 'status') === 'True',
    message: textAt(condition, 'message') ?? '',
    ...(strictUntilMs === undefined ? {} : { strictUntilMs }),
  }
}
