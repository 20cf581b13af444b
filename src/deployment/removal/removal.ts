// Takes back what Ballast leaves in a cluster, step by step. No step keeps another from being tried: what could not be done is told.
import { type DisruptionPermit, disruptionPermits, rebalancePlans } from '#coordination/api.ts'
import type { Leftover, ServedKind } from '#coordination/capability.ts'
import { dropGate } from '#coordination/effects/gate.ts'
import { removeTaint } from '#coordination/effects/taint.ts'
import { leaderSlice } from '#coordination/part-hosts.ts'
import { isolatedByAnnotation } from '#coordination/plans/names.ts'
import { removeFinalizer } from '#kube/client/finalizers.ts'
import type { Deployment, KubeObject, Node, Pod } from '#kube/objects/objects.ts'
import { builtIn, parseApiVersion, resourceKey } from '#kube/objects/resource.ts'
import { formatTime } from '#kube/time/time.ts'
import { dashboardSlice } from '#process/apiserver/apiserver-endpoint.ts'
import { installedBy } from '../capability-objects.ts'
import { removeInstalled } from './removal-installed.ts'
import { installedLabel, placeOf, type RemovalOptions, RemovalRun } from './removal-run.ts'

export interface Removal {
  /** What was done, or would be. */
  readonly done: readonly string[]
  /** What is left, and why. */
  readonly left: readonly string[]
  /** What was looked at and is as its user wants it, and why. */
  readonly stays: readonly string[]
}

/** In this order: what decides, what it holds at zero and what nodes read, what would gate new pods, what holds pods and nodes, the ledger, marks, our own objects, kinds. */
export async function remove(options: RemovalOptions): Promise<Removal> {
  const run = new RemovalRun(options)
  const place = await installedElsewhere(run)
  if (place !== undefined) return { done: [], left: [place], stays: [] }
  const leaves = [...new Map(options.capabilities.flatMap(one => one.leaves).map(left => [JSON.stringify(left), left])).values()]
  await stopController(run)
  for (const { uninstall } of installedBy(options.capabilities)) await uninstall?.(run)
  await deleteNamed(run, leaves)
  await deleteLabelled(run, leaves)
  await dropGates(run, leaves)
  await takeTaints(run, leaves)
  await closeLedger(run)
  await resumePaused(run, leaves)
  await letObjectsGo(run, leaves)
  if (!options.keep.has('labels')) await takeMarks(run, leaves)
  await deleteOwnState(run)
  if (!options.keep.has('objects')) await removeInstalled(run)
  if (!options.keep.has('crds')) await deleteKinds(run)
  await tellTemplates(run)
  return { done: run.done, left: run.left, stays: run.stays }
}

/** Where Ballast is, if not where it is looked for: what it holds all over the cluster is not taken from one that runs. */
async function installedElsewhere(run: RemovalRun): Promise<string | undefined> {
  const { namespace, release } = run.options
  const isController = ({ metadata: { labels = {} } }: KubeObject) =>
    labels['app.kubernetes.io/part-of'] === 'ballast' && labels['app.kubernetes.io/component'] === 'controller'
  const found = await run.find<Deployment>(builtIn.deployments, isController)
  const there = found.map(({ metadata }) => ({ namespace: metadata.namespace, release: metadata.labels?.[installedLabel] }))
  const [other] = there
  if (other === undefined || there.some(one => one.namespace === namespace && one.release === release)) return undefined
  return `everything: Ballast is not in ${namespace} under the name ${release}, but in ${other.namespace}: --namespace ${other.namespace} --release ${other.release}`
}

/** How long its pods may take to go: longer than their own time for an orderly end. */
const stopMs = 75_000
const lookMs = 1_000

/** Scales the controller to nothing and waits until it is gone: what is taken back must not be set anew. */
async function stopController(run: RemovalRun): Promise<void> {
  const { api, clock, namespace, release, dryRun, signal } = run.options
  const isOurs = ({ metadata: { labels = {} } }: KubeObject) =>
    labels['app.kubernetes.io/part-of'] === 'ballast' && labels[installedLabel] === release
  for (const deployment of await run.find<Deployment>(builtIn.deployments, isOurs, namespace)) {
    if (deployment.spec.replicas === 0) continue
    await run.take(`stop Deployment ${placeOf(deployment)}`, async () => {
      const { name } = deployment.metadata
      await api
        .resource(builtIn.deployments)
        .patch(name, { type: 'merge', body: { spec: { replicas: 0 } } }, { namespace, signal })
    })
    const selected = Object.entries(deployment.spec.selector.matchLabels ?? {})
    const isOfIt = ({ metadata: { labels = {} } }: Pod) => selected.every(([key, value]) => labels[key] === value)
    const untilMs = clock.elapsed() + stopMs
    let running = dryRun ? [] : await run.find<Pod>(builtIn.pods, isOfIt, namespace)
    while (running.length > 0 && clock.elapsed() < untilMs) {
      await clock.after(lookMs, signal)
      running = await run.find<Pod>(builtIn.pods, isOfIt, namespace)
    }
    for (const pod of running) run.left.push(`Pod ${placeOf(pod)} still runs: it may set anew what is taken back`)
  }
}

/** Objects that capabilities name: webhook configurations above all, which would gate pods that nobody releases. */
async function deleteNamed(run: RemovalRun, leaves: readonly Leftover[]): Promise<void> {
  for (const left of leaves) {
    if (left.kind !== 'object') continue
    const { group, version } = parseApiVersion(left.apiVersion)
    const resource = { group, version, resource: `${left.of.toLowerCase()}s` }
    const namespace = left.namespace === 'own' ? run.options.namespace : left.namespace
    for (const object of await run.find(resource, ({ metadata }) => metadata.name === left.name, namespace))
      await run.takeAway(resource, object)
  }
}

/** Objects among those of users: one that led somewhere leads to nobody now. */
async function deleteLabelled(run: RemovalRun, leaves: readonly Leftover[]): Promise<void> {
  for (const left of leaves) {
    if (left.kind !== 'labelled-objects') continue
    const isLabelled = ({ metadata }: KubeObject) => metadata.labels?.[left.label] === left.value
    for (const resource of Object.values(builtIn).filter(one => resourceKey(one) === left.of))
      for (const object of await run.find(resource, isLabelled)) await run.delete(resource, object)
  }
}

const requester = 'uninstall'

async function dropGates(run: RemovalRun, leaves: readonly Leftover[]): Promise<void> {
  const gates = new Set(leaves.flatMap(left => (left.kind === 'scheduling-gate' ? [left.name] : [])))
  const isGated = (pod: Pod) => (pod.spec.schedulingGates ?? []).some(gate => gates.has(gate.name))
  for (const pod of await run.find<Pod>(builtIn.pods, isGated))
    await run.take(`open the gate of Pod ${placeOf(pod)}`, () => dropGate(run.effects, { pod, requester }, run.options.signal))
}

async function takeTaints(run: RemovalRun, leaves: readonly Leftover[]): Promise<void> {
  const keys = new Set(leaves.flatMap(left => (left.kind === 'taint' ? [left.key] : [])))
  const { signal } = run.options
  for (const node of await run.find<Node>(builtIn.nodes, () => true)) {
    const { name } = node.metadata
    for (const key of new Set((node.spec?.taints ?? []).map(taint => taint.key).filter(key => keys.has(key))))
      await run.take(`take taint ${key} off Node ${name}`, () => removeTaint(run.effects, { node: name, key, requester }, signal))
    // Only where the mark says that the taint was set by us; one that a user set stays.
    const [, isolated] = /^[^/]+\/(.+)$/.exec(node.metadata.annotations?.[isolatedByAnnotation] ?? '') ?? []
    if (isolated === undefined) continue
    const own = { key: isolated, only: 'NoSchedule', annotation: isolatedByAnnotation } as const
    const choice = { ...own, node: name, requester }
    await run.take(`take taint ${isolated} off Node ${name}`, () => removeTaint(run.effects, choice, signal))
  }
}

/** Permits that are out are withdrawn where everybody can see it, and then go with the rest of the ledger. */
async function closeLedger(run: RemovalRun): Promise<void> {
  const { api, clock, signal } = run.options
  for (const permit of await run.find<DisruptionPermit>(disruptionPermits, () => true)) {
    const { namespace, name } = permit.metadata
    const isOut = permit.spec.grant !== undefined && permit.status?.releasedAt === undefined
    if (isOut)
      await run.take(`withdraw permit ${placeOf(permit)}`, () => {
        const body = { status: { releasedAt: formatTime(clock.now()), ending: 'withdrawn' } }
        return api.resource(disruptionPermits).patch(name, { type: 'merge', body }, { namespace, signal, subresource: 'status' })
      })
    await run.delete(disruptionPermits, permit)
  }
  for (const plan of await run.find(rebalancePlans, () => true)) await run.delete(rebalancePlans, plan)
}

async function resumePaused(run: RemovalRun, leaves: readonly Leftover[]): Promise<void> {
  const { api, signal } = run.options
  for (const left of leaves) {
    if (left.kind !== 'pause') continue
    const isMarked = ({ metadata }: Deployment) => metadata.annotations?.[left.annotation] !== undefined
    for (const deployment of await run.find<Deployment>(builtIn.deployments, isMarked)) {
      const { namespace, name, resourceVersion } = deployment.metadata
      const metadata = { resourceVersion, annotations: { [left.annotation]: null } }
      const body = deployment.spec.paused === true ? { metadata, spec: { paused: false } } : { metadata }
      await run.take(`resume Deployment ${placeOf(deployment)}`, () =>
        api.resource(builtIn.deployments).patch(name, { type: 'merge', body }, { namespace, signal }),
      )
    }
  }
}

/** Takes our finalizers off what is kept: with nobody to answer them an object, and its kind with it, could not be deleted any more. */
async function letObjectsGo(run: RemovalRun, leaves: readonly Leftover[]): Promise<void> {
  const { api, capabilities, signal } = run.options
  const kinds = new Map<string, ServedKind>(
    capabilities.flatMap(one => one.kinds.map(kind => [`${kind.plural}.${kind.group}`, kind] as const)),
  )
  for (const left of leaves) {
    if (left.kind !== 'finalizer') continue
    for (const kind of left.on.flatMap(on => kinds.get(on) ?? [])) {
      const resource = { group: kind.group, version: kind.version, resource: kind.plural }
      const isHeld = ({ metadata }: KubeObject) => metadata.finalizers?.includes(left.name) === true
      for (const object of await run.find(resource, isHeld))
        await run.take(`take finalizer ${left.name} off ${kind.kind} ${placeOf(object)}`, () =>
          removeFinalizer(api.resource<KubeObject>(resource), object, left.name, { signal }),
        )
    }
  }
}

/** Labels and annotations on objects of others. Those in pod templates stay: to take them away would restart pods. */
async function takeMarks(run: RemovalRun, leaves: readonly Leftover[]): Promise<void> {
  const { api, signal } = run.options
  for (const left of leaves) {
    if (left.kind !== 'annotation' && left.kind !== 'label') continue
    const field = left.kind === 'annotation' ? 'annotations' : 'labels'
    for (const resource of Object.values(builtIn).filter(one => left.on.includes(resourceKey(one)))) {
      const isMarked = ({ metadata }: KubeObject) => metadata[field]?.[left.key] !== undefined
      for (const object of await run.find(resource, isMarked)) {
        const { namespace, name } = object.metadata
        const body = { metadata: { [field]: { [left.key]: null } } }
        await run.take(`take ${left.kind} ${left.key} off ${resourceKey(resource)} ${placeOf(object)}`, () =>
          api.resource(resource).patch(name, { type: 'merge', body }, { namespace, signal }),
        )
      }
    }
  }
}

const ownNames = /^(ballast-(status|tls|controller|apiserver|apiserver-tls|reload-.*|migration-.*)|reloader-meta-info)$/

/** What our processes keep in our own namespace, guard Leases that nobody holds among it. */
async function deleteOwnState(run: RemovalRun): Promise<void> {
  const { namespace, capabilities } = run.options
  const guards = new Set(capabilities.flatMap(one => one.replaces.flatMap(({ leases }) => leases)))
  const isOurs = ({ metadata }: KubeObject) => ownNames.test(metadata.name) || metadata.labels?.['ballast.dev/managed'] === 'true'
  const isGuard = (lease: KubeObject) => guards.has(lease.metadata.name) && !isHeld(lease)
  for (const resource of [builtIn.configmaps, builtIn.secrets])
    for (const object of await run.find(resource, isOurs, namespace)) await run.takeAway(resource, object)
  const isSlice = ({ metadata }: KubeObject) => metadata.name === dashboardSlice || metadata.name === leaderSlice
  for (const slice of await run.find(builtIn.endpointslices, isSlice, namespace)) await run.delete(builtIn.endpointslices, slice)
  const leases = await run.find(builtIn.leases, lease => isOurs(lease) || isGuard(lease), namespace)
  for (const lease of leases) await run.delete(builtIn.leases, lease)
}

function isHeld({ spec }: KubeObject): boolean {
  return typeof spec === 'object' && spec !== null && 'holderIdentity' in spec && (spec.holderIdentity ?? '') !== ''
}

async function deleteKinds(run: RemovalRun): Promise<void> {
  const names = new Set(
    run.options.capabilities.flatMap(one =>
      one.kinds.filter(({ owner }) => owner === 'ours').map(kind => `${kind.plural}.${kind.group}`),
    ),
  )
  for (const kind of await run.find(builtIn.customresourcedefinitions, ({ metadata }) => names.has(metadata.name)))
    await run.delete(builtIn.customresourcedefinitions, kind)
}

/** Marks in pod templates that reloads left: told, not taken, because to take them away would restart every pod under them. */
async function tellTemplates(run: RemovalRun): Promise<void> {
  const isMarked = ({ spec }: KubeObject) =>
    /"STAKATER_[A-Z0-9_]+"|"reloader\.stakater\.com\/last-reloaded-from"/.test(JSON.stringify(spec) ?? '')
  const found = await Promise.all(
    [builtIn.deployments, builtIn.statefulsets, builtIn.daemonsets].map(
      async resource => (await run.find(resource, isMarked)).length,
    ),
  )
  const count = found.reduce((sum, of) => sum + of, 0)
  if (count > 0)
    run.left.push(
      `pod templates of ${count} workloads keep the variable or annotation of their last reload: to take it away would restart their pods`,
    )
}
