// Where pods go: the scheduler as a model. Holds a working copy of what stands on the nodes; binding and removing pods costs little,
// and so does a fork. Exact for kube-scheduler 1.34 and 1.36, which recorded placements hold it to.
// Not modelled: preemption, nominated nodes, volumes of in-tree kinds that migrate to CSI.

import type { KubeObject, Pod, Taint } from '#kube/objects/objects.ts'
import { type ClusterState, type PodState, podState } from './cluster-state.ts'
import { claimsToCome } from './devices/claims-to-come.ts'
import { DeviceObjects } from './devices/device-objects.ts'
import type { ResourceClaim } from './devices/device-shapes.ts'
import { boundClaims, claimElsewhere, idleClaim, podDevices, releaseClaims } from './devices/pod-devices.ts'
import { kindKey } from './ownership.ts'
import { type Requests, requestsOf } from './requests.ts'
import type { SchedulerSettings } from './scheduler-settings.ts'
import { type FilterView, prepareFilters } from './scheduling/filters.ts'
import { withoutBond } from './scheduling/landing-bond.ts'
import { NodeLoads } from './scheduling/node-loads.ts'
import { NodeRulesReader } from './scheduling/node-rules.ts'
import { NodeTable } from './scheduling/node-table.ts'
import { type Evaluation, type NodeVerdict, Outcome } from './scheduling/outcome.ts'
import { nodesToFind, searchOrder } from './scheduling/partial-search.ts'
import { NamespaceLabels } from './scheduling/pod-affinity.ts'
import { PodClasses } from './scheduling/pod-classes.ts'
import { PodReader } from './scheduling/pod-info.ts'
import type { Refusal } from './scheduling/refusal.ts'
import { rawScores } from './scheduling/scores.ts'
import { SpreadReader } from './scheduling/spread-rules.ts'
import { podClaims, settleClaims } from './scheduling/volume-binding.ts'
import { VolumeObjects } from './scheduling/volume-objects.ts'

export type { Evaluation, NodeVerdict } from './scheduling/outcome.ts'

interface EvaluateOptions {
  /** Taints that nodes are to be thought to have on top of theirs; only PreferNoSchedule ones count. */
  readonly extraTaints?: ReadonlyMap<string, readonly Taint[]>
  /** Compare these nodes alone, as a partial search that found them would: what is feasible beside them is left out of scores and landing. */
  readonly among?: readonly string[]
  /** Compare all feasible nodes even where the scheduler would stop at some of them. */
  readonly isWhole?: boolean
}

/** What a placement shares with its forks: nothing in it changes but for what is remembered. */
interface Fixed {
  readonly state: ClusterState
  readonly settings: SchedulerSettings
  readonly table: NodeTable
  readonly reader: PodReader
  readonly rules: NodeRulesReader
  readonly namespaces: NamespaceLabels
  readonly spread: SpreadReader
  /** Claims of pods that `asPending` and `asRolledOut` have made, by `namespace/name`. */
  readonly claimsToCome: Map<string, ResourceClaim>
  /** What `asPending` has made. */
  readonly pending: WeakMap<PodState, PodState>
  /** What `asRolledOut` has made. */
  readonly rolledOut: WeakMap<PodState, PodState>
}

function fixedParts(state: ClusterState, settings: SchedulerSettings): Fixed {
  const table = new NodeTable(state)
  return {
    state,
    settings,
    table,
    reader: new PodReader(new PodClasses(), { countsImageVolumes: settings.version !== '1.34' }),
    rules: new NodeRulesReader(table, settings),
    namespaces: new NamespaceLabels(state),
    spread: new SpreadReader(state, settings),
    claimsToCome: new Map(),
    pending: new WeakMap(),
    rolledOut: new WeakMap(),
  }
}

/** With what another placement has, or with no pods; what `emptyLike` has read of pods is not read again. */
type Beginning = { readonly from: Placement } | { readonly emptyLike: Placement | undefined }

/** What stands on which node, and where the next pod would go. */
export class Placement {
  #fixed: Fixed
  #loads: NodeLoads
  #volumes: VolumeObjects
  #devices: DeviceObjects
  /** Whether loads, volumes and claims of devices belong to another placement too, so that they must be copied before they change. */
  #isShared = false
  #order: readonly string[] | undefined

  /** Begins with the pods of `state` that stand on nodes and are not finished, or as `begin` says. */
  constructor(state: ClusterState, settings: SchedulerSettings, begin?: Beginning) {
    if (begin !== undefined && 'from' in begin) {
      this.#fixed = begin.from.#fixed
      this.#loads = begin.from.#loads
      this.#volumes = begin.from.#volumes
      this.#devices = begin.from.#devices
      this.#isShared = true
      return
    }
    const fixed = fixedParts(state, settings)
    const like = begin?.emptyLike
    this.#fixed = like === undefined ? fixed : { ...fixed, reader: like.#fixed.reader }
    this.#loads = new NodeLoads(this.#fixed.table)
    this.#volumes = new VolumeObjects(state)
    this.#devices = new DeviceObjects(state, this.#fixed.claimsToCome)
    if (begin === undefined) for (const pod of state.pods.values()) this.stand(pod)
  }

  /** Has the pod stand where it says it does; one that is finished, or whose node is not here, stands nowhere. Its volumes stay as they are. */
  stand(pod: PodState): void {
    const node = pod.nodeName === undefined || pod.isFinished ? undefined : this.#fixed.table.indexOf.get(pod.nodeName)
    if (node === undefined) return
    this.#makeOwn()
    this.#loads.add(this.#fixed.reader.info(pod), node)
  }

  /** Whether the nodes of a state have the names of those here. */
  hasNodesOf({ nodes }: ClusterState): boolean {
    if (nodes.size !== this.#fixed.table.size) return false
    let index = 0
    for (const name of nodes.keys()) if (name !== this.#fixed.table.names[index++]) return false
    return true
  }

  /** From now on by a newer state of the cluster, whose nodes have the same names. Who stands where stays. */
  renew(state: ClusterState): void {
    const { settings } = this.#fixed
    const table = this.#fixed.table.renewed(state)
    if (table !== this.#fixed.table) this.#order = undefined
    this.#fixed = {
      ...this.#fixed,
      state,
      table,
      rules: table === this.#fixed.table ? this.#fixed.rules : new NodeRulesReader(table, settings),
      namespaces: new NamespaceLabels(state),
      spread: new SpreadReader(state, settings),
      claimsToCome: new Map(),
      pending: new WeakMap(),
      rolledOut: new WeakMap(),
    }
    this.#volumes = new VolumeObjects(state)
    this.#devices = new DeviceObjects(state, this.#fixed.claimsToCome)
  }

  /** The nodes' names, ascending. */
  get nodes(): readonly string[] {
    return this.#fixed.table.names
  }

  /** The nodes' names in the order in which the scheduler goes through them where it looks at some only. */
  get searchOrder(): readonly string[] {
    this.#order ??= searchOrder(this.#fixed.table.nodes)
    return this.#order
  }

  /**
   * Where `pod` fits and lands. It is looked at as pending: `spec.nodeName` does not count. A pod that stands on a node of this
   * placement is in its own way; remove it first, and ask for `asPending(pod)`.
   */
  evaluate(pod: PodState, options: EvaluateOptions = {}): Evaluation {
    const view = this.#view(pod)
    const { table, settings } = this.#fixed
    const filters = prepareFilters(view)
    const refusals: (Refusal | undefined)[] = new Array(table.size)
    const passing: number[] = []
    const among = options.among && new Set(options.among)
    let error: Refusal | undefined
    for (let node = 0; node < table.size; node++) {
      const found = error ?? (filters.kind === 'none' ? filters.refusal : filters.refusalOf(node))
      if (found?.isError === true) error = found
      refusals[node] = found
      if (found === undefined && (among === undefined || among.has(table.names[node] ?? ''))) passing.push(node)
    }
    const feasible = Int32Array.from(error === undefined ? passing : [])
    if (error !== undefined) refusals.fill(error)
    const softTaints = this.#softTaints(view, options.extraTaints)
    const isWhole = among !== undefined || options.isWhole === true
    const found = isWhole ? feasible.length : Math.min(feasible.length, this.#nodesToFind(view))
    const scores = feasible.length > 1 ? rawScores(view, { feasible, found, softTaints }) : []
    return new Outcome({ table, settings, pod, filters, refusals, feasible, scores, found, error })
  }

  /** Whether `pod` fits on one node, by the filters alone: scores are empty, the total 0. @throws Error for a node that is not there. */
  fits(pod: PodState, node: string): NodeVerdict {
    return this.fitting(pod)(node)
  }

  /** `fits` for many nodes: what is the same for all of them is worked out once. Ask before anything of this placement changes. */
  fitting(pod: PodState): (node: string) => NodeVerdict {
    const filters = prepareFilters(this.#view(pod))
    return node => {
      const index = this.#indexOf(node)
      const found = filters.kind === 'none' ? filters.refusal : filters.refusalOf(index)
      return found === undefined
        ? { kind: 'feasible', scores: {}, total: 0 }
        : { kind: 'refused', filter: found.filter, reasons: found.reasons }
    }
  }

  /**
   * Puts `pod` on `node`, whether it fits or not; volumes that wait for it are bound or provisioned there, and stay so, its claims of
   * devices are allocated there.
   * @throws Error for a node that is not there and for a pod whose key is placed already.
   */
  bind(pod: PodState, node: string): void {
    const index = this.#indexOf(node)
    if (this.#loads.placed.has(pod.key))
      throw new Error(`bind pod ${pod.key} to ${node}: a pod of that name is placed already; remove it first`)
    this.#makeOwn()
    const info = this.#fixed.reader.info(pod)
    const claims = info.hasVolumes ? podClaims(this.#volumes, pod) : undefined
    const object = this.#fixed.table.nodes[index]
    if (claims?.kind === 'claims' && claims.claims.waiting.length > 0 && object !== undefined)
      settleClaims(this.#volumes, claims.claims, object)
    for (const claim of this.#boundClaims(pod, index)) this.#devices.settle(claim)
    this.#loads.add(info, index)
  }

  /**
   * Takes a pod (`namespace/name`) off its node. Its volumes stay bound. Its devices are free, as they are once a controller has seen it
   * go; with `claims: 'held'` they stay as its claims say. @throws Error where no pod of that key is placed.
   */
  remove(podKey: string, options: { readonly claims?: 'held' } = {}): void {
    this.#makeOwn()
    const pod = this.#loads.placed.get(podKey)?.info.pod
    if (pod !== undefined && options.claims === undefined) releaseClaims(this.#devices, pod)
    this.#loads.remove(podKey)
  }

  /** The claims of devices that change when `pod` is bound to `node`, as they are to be written. Pure. @throws Error as `fits`. */
  claimsOnBinding(pod: PodState, node: string): readonly ResourceClaim[] {
    return this.#boundClaims(pod, this.#indexOf(node))
  }

  /** Why the scheduler does not try the pod yet: a claim of devices is not there. */
  heldBackBy(pod: PodState): string | undefined {
    const devices = podDevices(this.#devices, pod, this.#fixed.settings.version)
    return devices?.kind === 'refused' && devices.isEarly ? devices.refusal.reasons.join(', ') : undefined
  }

  /** The claim that the scheduler gives up for a pod that `evaluation` found no node for, so that it is allocated elsewhere. */
  idleClaim(pod: PodState, evaluation: Evaluation): ResourceClaim | undefined {
    if ((pod.object.spec.resourceClaims ?? []).length === 0) return undefined
    const nodes = this.#fixed.table.nodes.filter(({ metadata }) => {
      const verdict = evaluation.verdicts.get(metadata.name)
      return verdict?.kind === 'refused' && verdict.reasons.includes(claimElsewhere)
    })
    return nodes.length === 0 ? undefined : idleClaim(this.#devices, pod, nodes, this.#fixed.settings.version)
  }

  #boundClaims(pod: PodState, node: number): readonly ResourceClaim[] {
    const object = this.#fixed.table.nodes[node]
    if (object === undefined || (pod.object.spec.resourceClaims ?? []).length === 0) return []
    return boundClaims(this.#devices, pod, object, this.#fixed.settings.version)
  }

  /** The node that a pod (`namespace/name`) is placed on. */
  nodeOf(podKey: string): string | undefined {
    const placed = this.#loads.placed.get(podKey)
    return placed === undefined ? undefined : this.#fixed.table.names[placed.node]
  }

  /** Allocatable less requested of every resource the node has, and of `pods`; below 0 where it is overdrawn. @throws Error as `fits`. */
  freeOf(node: string): Requests {
    const index = this.#indexOf(node)
    const allocatable = this.#fixed.state.nodes.get(node)?.allocatable ?? {}
    return requestsOf(
      Object.entries(allocatable).map(([resource, amount]) => {
        const requested = resource === 'pods' ? this.#loads.columns.pods : this.#loads.requested(resource)
        return [resource, amount - (requested[index] ?? 0)]
      }),
    )
  }

  /** A placement that begins as this one is and goes its own way. Costs nothing until either changes. */
  fork(): Placement {
    this.#isShared = true
    return new Placement(this.#fixed.state, this.#fixed.settings, { from: this })
  }

  /** Takes PersistentVolumes and PersistentVolumeClaims (and what describes them) in place of their namesakes. */
  settle(objects: Iterable<KubeObject>): void {
    this.#makeOwn()
    for (const object of objects) this.#volumes.settle(object)
  }

  /**
   * The pod that takes the place of `pod` when it is evicted: the same spec without a node and a status, under another name
   * and UID; a StatefulSet's keeps its name.
   */
  asPending(pod: PodState): PodState {
    const known = this.#fixed.pending.get(pod)
    if (known !== undefined) return known
    const pending = { ...podState(this.#fixed.state, this.#replacementOf(pod)), workload: pod.workload }
    this.#fixed.pending.set(pod, pending)
    return pending
  }

  /**
   * The pod that a roll-out makes in place of `pod`: as `asPending`, with another hash of the template, so that what selects by it (the
   * scheduler's own spread, `matchLabelKeys`) does not count the pods of before.
   */
  asRolledOut(pod: PodState): PodState {
    const { labels = {} } = pod.object.metadata
    const hash = labels[templateHash]
    if (hash === undefined) return this.asPending(pod)
    const known = this.#fixed.rolledOut.get(pod)
    if (known !== undefined) return known
    const next = this.#replacementOf(pod)
    const object = { ...next, metadata: { ...next.metadata, labels: { ...labels, [templateHash]: nextHashOf(hash) } } }
    const pending = { ...podState(this.#fixed.state, object), workload: pod.workload }
    this.#fixed.rolledOut.set(pod, pending)
    return pending
  }

  #replacementOf(pod: PodState): Pod {
    const { workload } = pod
    const owner =
      workload && this.#fixed.state.object(kindKey(workload.apiVersion, workload.kind), workload.namespace, workload.name)
    const next = replacementOf(pod, withoutBond(pod.object, owner).spec)
    if ((next.spec.resourceClaims ?? []).length === 0) return next
    const { statuses, claims } = claimsToCome(this.#fixed.state, next)
    for (const [key, claim] of claims) this.#fixed.claimsToCome.set(key, claim)
    return { ...next, status: { ...next.status, resourceClaimStatuses: statuses } }
  }

  #nodesToFind({ rules, settings, table }: FilterView): number {
    const looked = rules.named === undefined ? table.size : table.names.filter(name => rules.named?.has(name)).length
    return nodesToFind(looked, settings.percentageOfNodesToScore)
  }

  #view(pod: PodState): FilterView {
    const { state, settings, table, reader, namespaces } = this.#fixed
    const ask = reader.ask(pod)
    return {
      state,
      settings,
      table,
      loads: this.#loads,
      classes: reader.classes,
      namespaces,
      volumes: this.#volumes,
      devices: this.#devices,
      rules: this.#fixed.rules.rules(ask),
      spread: this.#fixed.spread.rules(pod),
      ask,
    }
  }

  #softTaints(view: FilterView, extra: ReadonlyMap<string, readonly Taint[]> | undefined): Float64Array {
    if (extra === undefined || extra.size === 0) return view.rules.softTaints
    const counts = view.rules.softTaints.slice()
    for (const [name, taints] of extra) {
      const node = this.#fixed.table.indexOf.get(name)
      if (node !== undefined) counts[node] = (counts[node] ?? 0) + this.#fixed.rules.softTaints(view.ask.info.pod, taints)
    }
    return counts
  }

  #indexOf(node: string): number {
    const index = this.#fixed.table.indexOf.get(node)
    if (index === undefined) throw new Error(`node ${node}: it is not in this placement`)
    return index
  }

  #makeOwn(): void {
    if (!this.#isShared) return
    this.#loads = new NodeLoads(this.#fixed.table, this.#loads)
    this.#volumes = this.#volumes.copy()
    this.#devices = this.#devices.copy()
    this.#isShared = false
  }
}

const templateHash = 'pod-template-hash'

/** Stands for the hash of a template that is not known yet: none that a controller makes has a dash. */
const nextHashOf = (hash: string): string => `${hash.slice(0, 50)}-next`

function replacementOf(pod: PodState, { nodeName, ...spec }: Pod['spec']): Pod {
  const { deletionTimestamp, deletionGracePeriodSeconds, ...metadata } = pod.object.metadata
  const { status, ...object } = pod.object
  const isNamed = pod.object.metadata.ownerReferences?.some(owner => owner.controller === true && owner.kind === 'StatefulSet')
  const name = isNamed ? pod.name : `${pod.name}-replacement`
  return {
    ...object,
    metadata: { ...metadata, name, uid: `${pod.uid}-replacement` },
    spec,
    status: { phase: 'Pending', conditions: [] },
  }
}
