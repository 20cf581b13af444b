// Which kubelets would be believed, by which address, and what is to be done about the others. Pure.
import { formatTime } from '#kube/time/time.ts'
import type { KubeletAnswer, KubeletFacts, PendingRequest, SeenCertificate, Tried, Unreached } from './kubelet-facts.ts'

type Doubt = 'self-signed' | 'unknown-authority' | 'wrong-name' | 'expired' | 'not-yet-valid' | Unreached

export interface JudgedRow {
  readonly node: string
  readonly type: string
  readonly address: string
  readonly port: number
  /** Empty: its certificate verifies. */
  readonly doubts: readonly Doubt[]
  readonly certificate?: SeenCertificate
  readonly answer?: KubeletAnswer
  /** A sentence. */
  readonly told: string
}

interface Cure {
  readonly what: string
  /** To paste. */
  readonly lines: readonly string[]
}

interface SharedAddress {
  readonly address: string
  readonly nodes: readonly string[]
}

export interface KubeletJudgement {
  readonly rows: readonly JudgedRow[]
  readonly pending: readonly PendingRequest[]
  readonly shared: readonly SharedAddress[]
  /** An order of types by which all nodes that answer verify; undefined where there is none. */
  readonly order: readonly string[] | undefined
  /** Nobody answered anywhere: most likely it was asked from where nobody can. */
  readonly isOutside: boolean
  /** The first that applies comes first. */
  readonly cures: readonly Cure[]
}

export function judgeKubelets(facts: KubeletFacts): KubeletJudgement {
  const rows = facts.tried.map(tried => judged(tried, facts.nowMs))
  const isOutside = rows.length > 0 && rows.every(row => row.doubts.some(doubt => outside.has(doubt)))
  const order = isOutside ? undefined : verifyingOrder(rows, facts.order)
  const { pending } = facts
  return { rows, pending, shared: sharedAddresses(rows), order, isOutside, cures: curesOf(rows, { facts, order, isOutside }) }
}

/** What connections from outside of the cluster's network come to. */
const outside: ReadonlySet<Doubt> = new Set(['timeout', 'no-route', 'no-name', 'untried'])
const unreached: ReadonlySet<Doubt> = new Set([...outside, 'refused', 'no-tls', 'broken'])

export const isReached = ({ doubts }: JudgedRow): boolean => !doubts.some(doubt => unreached.has(doubt))
export const verifies = ({ doubts }: JudgedRow): boolean => doubts.length === 0

function judged({ contact, ...tried }: Tried, nowMs: number): JudgedRow {
  const { node, type, address, port, answer } = tried
  const place = { node, type, address, port }
  if (contact.kind === 'unreached')
    return {
      ...place,
      doubts: [contact.why],
      told: `${unreachedWords[contact.why]}${contact.message === '' ? '' : `: ${contact.message}`}`,
    }
  const { certificate } = contact
  const doubts = doubtsOf(certificate, nowMs)
  const names = certificate.names.length === 0 ? 'no name' : firstFew(certificate.names)
  const signed = doubts.includes('unknown-authority') ? '' : `; signed by ${certificate.issuer}`
  const whose = `it names ${names}${signed}; until ${formatTime(certificate.untilMs)}`
  const said =
    doubts.length > 0 ? doubts.map(doubt => doubtWords(doubt, address, certificate)).join('; ') : `verifies${answerWords(answer)}`
  return { ...place, doubts, certificate, ...(answer === undefined ? {} : { answer }), told: `${said}; ${whose}` }
}

/** A kubelet without any other certificate signs one itself, by an authority of this name that it makes for it. */
const kubeletsOwnAuthority = /-ca@\d+$/

function doubtsOf({ chain, issuer, isNamed, fromMs, untilMs }: SeenCertificate, nowMs: number): readonly Doubt[] {
  const isSelfSigned = chain === 'DEPTH_ZERO_SELF_SIGNED_CERT' || kubeletsOwnAuthority.test(issuer)
  const isDate = chain === 'CERT_HAS_EXPIRED' || chain === 'CERT_NOT_YET_VALID'
  const doubts: Doubt[] = []
  if (chain !== undefined && !isDate) doubts.push(isSelfSigned ? 'self-signed' : 'unknown-authority')
  // By OpenSSL's own word too: its clock and ours may differ.
  if (untilMs <= nowMs || chain === 'CERT_HAS_EXPIRED') doubts.push('expired')
  if (fromMs > nowMs || chain === 'CERT_NOT_YET_VALID') doubts.push('not-yet-valid')
  if (!isNamed) doubts.push('wrong-name')
  return doubts
}

const unreachedWords: Readonly<Record<Unreached, string>> = {
  refused: 'nobody listens there',
  timeout: 'no answer in time',
  'no-route': 'no way there from here',
  'no-name': 'its name is not known here',
  'no-tls': 'what answers there does not speak TLS with us',
  broken: 'the connection broke',
  untried: 'not tried: the time was up',
}

function doubtWords(doubt: Doubt, address: string, { issuer, chain, fromMs, untilMs }: SeenCertificate): string {
  switch (doubt) {
    case 'self-signed':
      return "self-signed: the cluster's authority does not stand behind it"
    case 'unknown-authority':
      return `signed by ${issuer}, which is not the cluster's authority (${chain})`
    case 'wrong-name':
      return `it does not name ${address}`
    case 'expired':
      return `it ended at ${formatTime(untilMs)}`
    case 'not-yet-valid':
      return `it begins at ${formatTime(fromMs)}`
    default:
      return unreachedWords[doubt]
  }
}

function answerWords(answer: KubeletAnswer | undefined): string {
  if (answer === undefined) return ''
  return answer.kind === 'served'
    ? `, and says the use of ${answer.containers} container${answer.containers === 1 ? '' : 's'}`
    : `, but ${answer.message}`
}

/** Two nodes that say the same address and port: one of them is measured for both. */
function sharedAddresses(rows: readonly JudgedRow[]): readonly SharedAddress[] {
  const places = Map.groupBy(rows, ({ address, port }) => `${address}:${port}`)
  return [...places].flatMap(([address, found]) => {
    const nodes = [...new Set(found.map(({ node }) => node))]
    return nodes.length < 2 ? [] : [{ address, nodes }]
  })
}

/**
 * The order by which each node that answers anywhere is asked by an address that verifies: the one in force where that is so, else the
 * shortest. A node that nobody reaches says nothing about orders.
 */
function verifyingOrder(rows: readonly JudgedRow[], inForce: readonly string[]): readonly string[] | undefined {
  const nodes = [...Map.groupBy(rows, ({ node }) => node).values()].filter(own => own.some(isReached))
  if (nodes.length === 0) return undefined
  const isGood = (order: readonly string[]) =>
    nodes.every(own => {
      const used = usedRow(own, order)
      return used !== undefined && verifies(used)
    })
  const present = [...new Set([...inForce, ...rows.map(({ type }) => type)])]
  return [inForce, ...ordersOf(present)].find(isGood)
}

/** By which of its addresses a node is asked. */
export function usedRow(rows: readonly JudgedRow[], order: readonly string[]): JudgedRow | undefined {
  for (const type of order) {
    const found = rows.find(row => row.type === type)
    if (found !== undefined) return found
  }
  return undefined
}

/** Types that Kubernetes has; a node may say others, which no setting takes. */
const mostTypes = 5

/** Every order of some of these types, the shortest first. */
function ordersOf(types: readonly string[]): readonly (readonly string[])[] {
  let orders: readonly (readonly string[])[] = [[]]
  const all: (readonly string[])[] = []
  for (let length = 1; length <= Math.min(types.length, mostTypes); length++) {
    orders = orders.flatMap(order => types.filter(type => !order.includes(type)).map(type => [...order, type]))
    all.push(...orders)
  }
  return all
}

interface About {
  readonly facts: KubeletFacts
  readonly order: readonly string[] | undefined
  readonly isOutside: boolean
}

const nodeTypes: ReadonlySet<string> = new Set(['Hostname', 'InternalDNS', 'InternalIP', 'ExternalDNS', 'ExternalIP'])

function curesOf(rows: readonly JudgedRow[], { facts, order, isOutside }: About): readonly Cure[] {
  // Where a kubelet waits for its certificate, nobody is let into its pods either.
  if (isOutside) return [...approvals(facts.pending), elsewhere]
  const nodes = [...Map.groupBy(rows, ({ node }) => node).values()]
  const bad = nodes.filter(own => own.some(isReached) && !verifiesBy(own, facts.order))
  const cures: Cure[] = [...approvals(facts.pending)]
  if (bad.length > 0 && order !== undefined && order.every(type => nodeTypes.has(type))) cures.push(anotherOrder(order))
  // What no order cures: no address of theirs verifies.
  const hopeless = bad.filter(own => !own.some(verifies))
  const reached = (wanted: readonly Doubt[]) =>
    hopeless
      .filter(own => own.some(row => isReached(row) && row.doubts.some(doubt => wanted.includes(doubt))))
      .map(([row]) => row?.node ?? '')
  const unsigned = reached(['self-signed', 'unknown-authority', 'expired', 'not-yet-valid'])
  const misnamed = hopeless.map(([row]) => row?.node ?? '').filter(node => !unsigned.includes(node))
  // Who waits for a certificate has asked for it.
  const unasked = unsigned.filter(node => !facts.pending.some(request => request.node === node))
  if (unasked.length > 0) cures.push(bootstrap(unasked))
  if (misnamed.length > 0) cures.push(otherNames(misnamed))
  if (bad.length > 0 && order === undefined) cures.push(lastResort)
  const refused = rows.flatMap(({ answer }) => (answer?.kind === 'refused' ? [answer.reason] : []))
  if (refused.includes('unauthorized')) cures.push(webhook)
  if (refused.includes('forbidden')) cures.push(right)
  return cures
}

function verifiesBy(own: readonly JudgedRow[], order: readonly string[]): boolean {
  const used = usedRow(own, order)
  return used !== undefined && verifies(used)
}

/** Nodes, or names of a certificate, in a sentence. */
const mostNamed = 5

export function firstFew(names: readonly string[]): string {
  const more = names.length - mostNamed
  return `${names.slice(0, mostNamed).join(', ')}${more > 0 ? ` and ${more} more` : ''}`
}

/** What `kubectl run` does not say by itself: whose token it has, and what a namespace of the standard "restricted" asks of a pod. */
const doctorPod = {
  spec: {
    serviceAccountName: 'ballast-apiserver',
    automountServiceAccountToken: true,
    securityContext: { runAsNonRoot: true, runAsUser: 65532, seccompProfile: { type: 'RuntimeDefault' } },
    containers: [
      { name: 'ballast-doctor', securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } } },
    ],
  },
}

const elsewhere: Cure = {
  what: "no kubelet was reached from here: most likely this machine is outside of the nodes' network. Ask from where kubelets are reached: in the pod that scrapes them, or in one that is made for it",
  lines: [
    'kubectl -n ballast-system exec deploy/ballast-apiserver -- /bin/node /app/ballast.mjs doctor metrics',
    `kubectl -n ballast-system run ballast-doctor --rm -it --restart=Never --image=$(kubectl -n ballast-system get deploy ballast-apiserver -o jsonpath='{.spec.template.spec.containers[0].image}') --override-type=strategic --overrides='${JSON.stringify(doctorPod)}' -- doctor metrics`,
  ],
}

/** Only what a kubelet asked for in its own node's name is offered. */
function approvals(pending: readonly PendingRequest[]): readonly Cure[] {
  const known = pending.filter(({ node }) => node !== undefined)
  if (known.length === 0) return []
  return [
    {
      what: `kubelets of ${firstFew([...new Set(known.map(({ node = '' }) => node))])} wait for their certificates: look at who asks (kubectl describe csr NAME), then approve`,
      lines: known.map(({ name }) => `kubectl certificate approve ${name}`),
    },
  ]
}

function anotherOrder(order: readonly string[]): Cure {
  return {
    what: 'all kubelets that answer verify by another order of address types: as a flag, or in the configuration',
    lines: [
      `--kubelet-preferred-address-types=${order.join(',')}`,
      `capabilities.metrics.kubelet.preferredAddressTypes: [${order.join(', ')}]`,
    ],
  }
}

function bootstrap(nodes: readonly string[]): Cure {
  return {
    what: `have the cluster sign the kubelets of ${firstFew(nodes)}: this in their KubeletConfiguration (Talos: machine.kubelet.extraArgs.rotate-server-certificates), restart them, then approve what they ask for`,
    lines: ['serverTLSBootstrap: true', 'kubectl get csr --field-selector spec.signerName=kubernetes.io/kubelet-serving'],
  }
}

function otherNames(nodes: readonly string[]): Cure {
  return {
    what: `the certificates of ${firstFew(nodes)} are signed and name none of the addresses that their nodes have: have the nodes say an address that is named (kubelet --node-ip, --hostname-override), or have the certificates made anew`,
    lines: ['kubectl get nodes -o wide'],
  }
}

const lastResort: Cure = {
  what: 'last resort: no certificate is checked. Whoever stands between can then read the token that is sent to kubelets and use it, and can say any figures to autoscalers',
  lines: ['capabilities.metrics.kubelet.insecureTls: true', '--kubelet-insecure-tls'],
}

const webhook: Cure = {
  what: 'kubelets do not know who asks (401): they have to ask the API server about tokens. In their KubeletConfiguration:',
  lines: ['authentication: {webhook: {enabled: true}}', 'authorization: {mode: Webhook}'],
}

const right: Cure = {
  what: 'kubelets say that you may not ask (403): the rule to add for whoever asks',
  lines: ["- {apiGroups: [''], resources: [nodes/metrics], verbs: [get]}"],
}
