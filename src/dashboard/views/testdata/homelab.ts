// Pictures for the tests of views: the reference cluster with policy, plans and permits, at 14:03:20 in Berlin. A row shows only what matters to it.
import { deschedule } from '#capabilities/deschedule'
import { isolate } from '#capabilities/isolate'
import { reload } from '#capabilities/reload'
import { buildClusterState } from '#cluster/cluster-state.ts'
import { defaultOwnerLabel } from '#cluster/ownership.ts'
import { defaultSettings } from '#cluster/scheduler-settings.ts'
import { type Book, bookOf } from '#coordination/account/book.ts'
import { observedPast } from '#coordination/account/observed-past.ts'
import type { RebalancePlan } from '#coordination/api.ts'
import { viewOf } from '#coordination/permits/ledger-view.ts'
import { planObject } from '#coordination/plans/plan-object.ts'
import { planPolicyOf, readPolicy } from '#coordination/plans/plan-policy.ts'
import { defaultPolicy } from '#coordination/policy/arbiter-policy.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { formatTime } from '#kube/time/time.ts'
import { makePlan } from '#planning/plan.ts'
import type { Solve } from '#planning/solving/solve.ts'
import { referenceCluster } from '#planning/testdata/reference-cluster.ts'
import type { Picture } from '../../picture.ts'

export const nowMs = Date.parse('2025-12-19T14:03:20+01:00')
export const second = 1_000
export const minute = 60 * second
export const hour = 60 * minute
/** RFC 3339, so long before now. */
export const ago = (ms: number): string => formatTime(nowMs - ms)

const settings = defaultSettings('1.34')

/** The example's policy; `change` goes over its spec. */
export function policyObject(change: Readonly<Record<string, unknown>> = {}): KubeObject {
  return {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'RebalancePolicy',
    metadata: { name: 'talos', uid: 'policy-talos', creationTimestamp: ago(48 * hour) },
    spec: {
      schedule: '0 4 * * *',
      timeZone: 'Europe/Berlin',
      mode: 'Approve',
      objective: 'moves',
      coordination: { unlabelled: 'none', requirePDB: true, localStorage: 'refuse' },
      goals: [
        { name: 'cp-light', nodes: ['talos00'], resource: 'cpu', stat: 'requests', max: 70 },
        { name: 'use-talos03', nodes: ['talos03'], resource: 'cpu', stat: 'requests', min: 30 },
      ],
      ...change,
    },
  }
}

/** A namespace's picture of `objects`, with the books read from them too. `given` goes over it. */
export function pictureOf(objects: readonly KubeObject[], given: Partial<Picture> = {}): Picture {
  const { state } = buildClusterState(objects.filter(({ kind }) => !inBooks.has(kind)))
  const book = given.book ?? bookOf(objects)
  const events = objects.filter(({ kind }) => kind === 'Event')
  const ledger = viewOf(book.permits.map(({ record }) => record))
  return {
    sequence: 1,
    epoch: 'e1',
    nowMs,
    mode: 'twin',
    cluster: 'talos-homelab',
    state,
    book,
    observed: observedPast({ state, events, ledger, nowMs }),
    arbiter: defaultPolicy,
    ownerLabel: defaultOwnerLabel,
    scheduler: settings,
    ownNamespace: 'ballast-system',
    capabilities: askers.map(({ name }) => name),
    askers,
    sources: [],
    twin: { source: 'examples/talos-homelab', seed: 1, clock: undefined, faults: [] },
    loading: undefined,
    ...given,
  }
}

const askers = [deschedule, isolate, reload]

const inBooks: ReadonlySet<string> = new Set(['DisruptionPermit', 'RebalancePlan', 'RebalancePolicy', 'Event'])

/** The plan that planning makes of `objects` for their policy, as it is proposed. */
export async function plannedFor(objects: readonly KubeObject[], solve: Solve, name = 'talos-7f3c'): Promise<RebalancePlan> {
  const found = objects.find(({ kind }) => kind === 'RebalancePolicy')
  const read = found === undefined ? undefined : readPolicy(found)
  if (read?.ok !== true) throw new Error('the objects have no policy that can be read')
  const { state } = buildClusterState(objects.filter(({ kind }) => !inBooks.has(kind)))
  const policy = planPolicyOf(read.policy, state, { ownerLabel: defaultOwnerLabel, landing: 'hold' })
  if (!policy.ok) throw new Error(policy.problem.found)
  const plan = await makePlan({ state, policy: policy.value, settings, nowMs }, solve, new AbortController().signal)
  const made = planObject(plan, { name, policyUid: 'policy-talos', nowMs })
  return { ...made, metadata: { ...made.metadata, uid: `uid-${name}`, creationTimestamp: ago(minute) } }
}

/** The reference cluster with its policy. */
export function homelab(change: Readonly<Record<string, unknown>> = {}): readonly KubeObject[] {
  return [...referenceCluster(), policyObject(change)]
}

/** `plan` with fields of its status, or of its spec, replaced. */
export function planWith(
  plan: RebalancePlan,
  { status, spec }: { readonly status?: Partial<NonNullable<RebalancePlan['status']>>; readonly spec?: Partial<RebalancePlan['spec']> },
): RebalancePlan {
  return { ...plan, spec: { ...plan.spec, ...spec }, status: { ...plan.status, ...status } }
}

/** A book of plans that no API server would keep: read from nothing. */
export function bookWith(given: Partial<Book>): Book {
  return { ...bookOf([]), ...given }
}

interface PermitOptions {
  readonly name?: string
  readonly requester?: string
  readonly class?: string
  readonly verb?: string
  readonly purpose?: string
  readonly pod?: string
  readonly workload?: string
  readonly key?: string
  readonly reasons?: readonly { readonly code: string; readonly message: string }[]
  readonly grantedAgo?: number
  /** When the object was made; as a rule with the grant. */
  readonly askedAgo?: number
  /** `undefined`: it is out. */
  readonly releasedAgo?: number | undefined
  readonly joined?: readonly object[]
  readonly wouldBe?: object
  readonly members?: readonly object[]
  readonly status?: object
}

/** A permit as the arbiter writes it; granted 10 minutes ago on a pod of mimir-querier, done a minute later. */
export function permitObject(options: PermitOptions = {}): KubeObject {
  const { workload = 'monitoring/Deployment/mimir-querier', grantedAgo = 10 * minute, name = 'evict-mimir-querier-7' } = options
  const [namespace = '', kind = '', owner = ''] = workload.split('/')
  const releasedAgo = 'releasedAgo' in options ? options.releasedAgo : grantedAgo - minute
  const verb = options.verb ?? 'evict'
  const target =
    verb === 'evict'
      ? { apiVersion: 'v1', kind: 'Pod', namespace, name: options.pod ?? `${owner}-5d8f-z`, uid: 'pod-gone' }
      : { apiVersion: 'apps/v1', kind, namespace, name: owner, uid: `uid-${owner}` }
  return {
    apiVersion: 'ballast.dev/v1alpha1',
    kind: 'DisruptionPermit',
    metadata: { name, namespace, uid: `permit-${name}`, creationTimestamp: ago(options.askedAgo ?? grantedAgo), annotations: { 'ballast.dev/leader-epoch': '3' } },
    spec: {
      requester: options.requester ?? 'deschedule',
      class: options.class ?? 'balance',
      verb,
      purpose: options.purpose ?? 'move',
      targets: [target],
      workload,
      reasons: options.reasons ?? [{ code: 'rebalance', message: 'plan talos-7f3c of policy talos moves it from talos00 to talos03' }],
      idempotencyKey: options.key ?? `key/${name}`,
      nodes: ['talos00'],
      ...(verb === 'evict' ? { relocation: { from: 'talos00', to: ['talos03'] } } : {}),
      joined: options.joined ?? [],
      ...(options.members === undefined ? {} : { members: options.members }),
      deadline: ago(grantedAgo - hour),
      grant: { token: 3_000_001, at: ago(grantedAgo), expiresAt: ago(grantedAgo - 10 * minute), ...(options.wouldBe === undefined ? {} : { wouldBe: options.wouldBe }) },
    },
    ...(releasedAgo === undefined
      ? {}
      : { status: options.status ?? { decision: 'Granted', releasedAt: ago(releasedAgo), ending: 'done', reason: 'landed on talos03', landing: 'expected' } }),
  }
}
