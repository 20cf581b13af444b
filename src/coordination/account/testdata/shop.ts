// A small cluster as objects, and builders of what the books say of it: a row of a test shows only what matters to it.
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { formatTime } from '#kube/time/time.ts'
import { viewOf } from '../../permits/ledger-view.ts'
import { type ArbiterPolicy, defaultPolicy } from '../../policy/arbiter-policy.ts'
import { type Account, accountOf } from '../account.ts'
import { bookOf } from '../book.ts'
import { observedPast } from '../observed-past.ts'
import { findSubject } from '../subject.ts'
import { testAskers } from './askers.ts'

export const nowMs = Date.parse('2026-03-02T04:00:00Z')
export const minute = 60_000
export const hour = 60 * minute
/** RFC 3339, so long before now. */
export const ago = (ms: number): string => formatTime(nowMs - ms)

const ownerLabel = defaultOwnerLabel
const created = ago(400 * 24 * hour)

function node(name: string): KubeObject {
  const amounts = { cpu: '4', memory: '16Gi', pods: '110' }
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: `node-${name}`, creationTimestamp: created, labels: { 'kubernetes.io/hostname': name } },
    spec: {},
    status: { allocatable: amounts, capacity: amounts, conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: created }] },
  }
}

interface WorkloadOptions {
  readonly name?: string
  readonly namespace?: string
  readonly owner?: string | undefined
  readonly on?: readonly string[]
  readonly replicas?: number
  readonly budget?: boolean
  readonly annotations?: Readonly<Record<string, string>>
  /** When the last of its pods was made; default long ago. */
  readonly newestMade?: string
}

/** A Deployment with its ReplicaSet, pods and budget. */
export function deployment(options: WorkloadOptions = {}): readonly KubeObject[] {
  const { name = 'cart', namespace = 'shop', on = ['n1', 'n2'], replicas = on.length, budget = true, newestMade = created } = options
  const owner = 'owner' in options ? options.owner : 'descheduler'
  const labels = { app: name }
  const spec = { containers: [{ name: 'main', image: 'registry.example/main:1', resources: { requests: { cpu: '100m' } } }] }
  const template = { metadata: { labels }, spec }
  const owned = (kind: string, above: string, uid: string) => [{ apiVersion: 'apps/v1', kind, name: above, uid, controller: true }]
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: {
        name,
        namespace,
        uid: `deployment-${name}`,
        creationTimestamp: created,
        labels: owner === undefined ? labels : { ...labels, [ownerLabel.key]: owner },
        annotations: { 'deployment.kubernetes.io/revision': '1', ...options.annotations },
      },
      spec: { replicas, selector: { matchLabels: labels }, template },
    },
    {
      apiVersion: 'apps/v1',
      kind: 'ReplicaSet',
      metadata: {
        name: `${name}-5d8f`,
        namespace,
        uid: `set-${name}`,
        creationTimestamp: created,
        labels,
        annotations: { 'deployment.kubernetes.io/revision': '1' },
        ownerReferences: owned('Deployment', name, `deployment-${name}`),
      },
      spec: { replicas, selector: { matchLabels: labels }, template },
    },
    ...on.map(
      (nodeName, at): KubeObject => ({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: {
          name: `${name}-5d8f-${'abcde'[at] ?? 'x'}`,
          namespace,
          uid: `pod-${name}-${at}`,
          creationTimestamp: at === on.length - 1 ? newestMade : created,
          labels,
          ownerReferences: owned('ReplicaSet', `${name}-5d8f`, `set-${name}`),
        },
        spec: { ...spec, nodeName },
        status: { phase: 'Running', startTime: created, conditions: [{ type: 'Ready', status: 'True' }] },
      }),
    ),
    ...(budget
      ? [
          {
            apiVersion: 'policy/v1',
            kind: 'PodDisruptionBudget',
            metadata: { name, namespace, uid: `budget-${name}`, generation: 1 },
            spec: { maxUnavailable: 1, selector: { matchLabels: labels } },
            status: { observedGeneration: 1, disruptionsAllowed: 1, currentHealthy: on.length, desiredHealthy: on.length - 1, expectedPods: on.length },
          },
        ]
      : []),
  ]
}

/** Three nodes, the namespace, and what is added. */
export function cluster(...more: readonly KubeObject[]): readonly KubeObject[] {
  return [
    ...['n1', 'n2', 'n3'].map(node),
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', uid: 'namespace-shop', creationTimestamp: created } },
    ...more,
  ]
}

interface PermitOptions {
  readonly name?: string
  readonly requester?: string
  readonly class?: string
  readonly verb?: string
  readonly target?: object
  readonly workload?: string
  readonly grantedAgo?: number
  /** `undefined`: it is out. */
  readonly releasedAgo?: number | undefined
  readonly ending?: string
  readonly landing?: string
  readonly reason?: string
  readonly epoch?: number
  readonly timeToLive?: number
  readonly relocation?: { readonly from: string; readonly to: readonly string[] }
  readonly joined?: readonly object[]
  readonly dropped?: readonly object[]
  readonly key?: string
  readonly batch?: string
}

/** A DisruptionPermit on `shop/Deployment/cart`, granted 10 minutes ago; done a minute later unless told otherwise. */
export function permit(options: PermitOptions = {}): KubeObject {
  const { name = 'evict-cart-7', grantedAgo = 10 * minute, timeToLive = 10 * minute, relocation = { from: 'n1', to: ['n3'] } } = options
  const releasedAgo = 'releasedAgo' in options ? options.releasedAgo : grantedAgo - minute
  return {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'DisruptionPermit',
    metadata: {
      name,
      namespace: 'shop',
      uid: `permit-${name}`,
      creationTimestamp: ago(grantedAgo),
      annotations: { 'ballast.dev/leader-epoch': String(options.epoch ?? 3) },
    },
    spec: {
      requester: options.requester ?? 'deschedule',
      class: options.class ?? 'balance',
      verb: options.verb ?? 'evict',
      purpose: 'move',
      targets: [options.target ?? { apiVersion: 'v1', kind: 'Pod', namespace: 'shop', name: 'cart-5d8f-z', uid: 'pod-gone' }],
      workload: options.workload ?? 'shop/Deployment/cart',
      reasons: [{ code: 'rebalance', message: 'plan p-1 of policy p moves it from n1 to n3' }],
      idempotencyKey: options.key ?? `key/${name}`,
      ...(options.batch === undefined ? {} : { batch: options.batch }),
      nodes: ['n1'],
      relocation,
      joined: options.joined ?? [],
      deadline: ago(grantedAgo - hour),
      grant: { token: 3_000_001, at: ago(grantedAgo), expiresAt: ago(grantedAgo - timeToLive) },
    },
    ...(releasedAgo === undefined
      ? {}
      : {
          status: {
            decision: 'Granted',
            releasedAt: ago(releasedAgo),
            ending: options.ending ?? 'done',
            reason: options.reason ?? 'landed on n3',
            ...(options.dropped === undefined ? {} : { dropped: options.dropped }),
            ...(options.landing === undefined ? {} : { landing: options.landing }),
          },
        }),
  }
}

/** An event as our recorder writes it, or as others do. */
export function event(options: {
  readonly agoMs: number
  readonly reason: string
  readonly note: string
  readonly controller?: string
  readonly regarding?: { readonly kind: string; readonly name: string; readonly uid?: string }
  readonly annotations?: Readonly<Record<string, string>>
}): KubeObject {
  const { kind, name, uid = `uid-${name}` } = options.regarding ?? { kind: 'Deployment', name: 'cart' }
  return {
    apiVersion: 'events.k8s.io/v1',
    kind: 'Event',
    metadata: {
      name: `${name}.${options.reason}.${options.agoMs}`.toLowerCase(),
      namespace: 'shop',
      ...(options.annotations === undefined ? {} : { annotations: options.annotations }),
    },
    eventTime: ago(options.agoMs).replace('Z', '.000000Z'),
    type: 'Normal',
    reason: options.reason,
    note: options.note,
    reportingController: options.controller ?? 'kubelet',
    regarding: { kind, namespace: 'shop', name, uid },
  }
}

/** The account of `name` in the cluster of `objects`, as the commands make it. */
export function accountIn(
  objects: readonly KubeObject[],
  name: string,
  options: { readonly namespace?: string; readonly atMs?: number; readonly policy?: Partial<ArbiterPolicy> } = {},
): Account {
  const { state } = buildClusterState(objects)
  const book = bookOf(objects)
  const found = findSubject(name, options.namespace, { state, book })
  if (found.kind !== 'found') throw new Error(`${name}: ${JSON.stringify(found)}`)
  const ledger = viewOf(book.permits.map(({ record }) => record))
  return accountOf({
    subject: found.subject,
    state,
    book,
    observed: observedPast({ state, events: objects.filter(({ kind }) => kind === 'Event'), ledger, nowMs }),
    policy: { ...defaultPolicy, ...options.policy },
    ownerLabel,
    ownNamespace: 'ballast-system',
    settings: defaultSettings('1.34'),
    nowMs,
    askers: testAskers,
    ...(options.atMs === undefined ? {} : { atMs: options.atMs }),
  })
}

/** `-10 min deschedule Granted done: evict Pod shop/cart-a`. */
export function shortEntries(account: Account): readonly string[] {
  return account.entries.map(
    ({ atMs, who, decision, outcome, what, rule }) =>
      `${Math.round((atMs - nowMs) / minute)} min ${who} ${decision ?? '-'} ${outcome}: ${what}${rule === undefined ? '' : ` by ${rule}`}`,
  )
}

/** `move Queued cool-down +350 min`. */
export function shortAnswers(account: Account): readonly string[] {
  return account.now.map(({ question, decision, objections }) => {
    const [first] = objections.filter(one => one.holds)
    const from = first?.fromMs === undefined ? '' : ` +${Math.round((first.fromMs - account.atMs) / minute)} min`
    return `${question} ${decision}${first === undefined ? '' : ` ${first.rule}${from}`}`
  })
}

/** A plan of policy `p`, made 30 minutes ago, that moves pod `cart-5d8f-a` from n1 to n3 as m01. */
export function plan(options: {
  readonly name?: string
  readonly status?: object
  readonly approved?: boolean
  readonly madeAgo?: number
}): KubeObject {
  const { name = 'p-1', status = {}, approved = true, madeAgo = 30 * minute } = options
  const certificate = {
    snapshotHash: 'h',
    podUid: 'pod-cart-0',
    requests: {},
    from: 'n1',
    to: 'n3',
    freeBefore: {},
    freeAfter: {},
    filters: {},
    landing: { mode: 'prefer', nodes: ['n3'], totals: {} },
  }
  return {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePlan',
    metadata: { name, uid: `uid-${name}`, creationTimestamp: ago(madeAgo) },
    spec: {
      policyRef: { name: 'p' },
      snapshotHash: 'h',
      batch: name,
      outcome: 'met',
      method: 'milp',
      landing: 'prefer',
      approved,
      moves: [
        {
          id: 'm01',
          wave: 1,
          pod: { namespace: 'shop', name: 'cart-5d8f-a', uid: 'pod-cart-0' },
          workload: { apiVersion: 'apps/v1', kind: 'Deployment', namespace: 'shop', name: 'cart', uid: 'deployment-cart' },
          from: 'n1',
          to: 'n3',
          acceptable: ['n3'],
          action: 'evict',
          certificate,
        },
      ],
    },
    status: { phase: approved ? 'Running' : 'Proposed', ...status },
  }
}

/** The RebalancePolicy `p`. */
export function policy(spec: object = {}, status: object = {}): KubeObject {
  return {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePolicy',
    metadata: { name: 'p', uid: 'uid-p', creationTimestamp: created },
    spec: { trigger: 'manual', goals: [{ name: 'n1-light', nodes: ['n1'], resource: 'cpu', max: 50 }], ...spec },
    status,
  }
}
