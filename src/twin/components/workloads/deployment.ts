// Deployments: finds or makes the ReplicaSet of the current template, moves the sizes step by step, keeps revisions, tells how it goes.
// One step per run; the ReplicaSets' own changes bring the Deployment back.
import type { Condition, Deployment, ReplicaSet } from '#kube/objects/objects.ts'
import { isAlreadyExists } from '#kube/objects/status.ts'
import { type ComponentContext, controllerWriter } from '../component.ts'
import type { EventSource } from '../event-recorder.ts'
import { isSameContent } from '../same-content.ts'
import { selectorFor } from '../selectors.ts'
import {
  annotatedSet,
  byAge,
  currentSet,
  meantSet,
  newSet,
  resized,
  revisionAnnotation,
  revisionOf,
  setState,
  statusCount,
} from './deployment-sets.ts'
import { conditionsOf, deploymentStatus, type SetCounts, setCondition, untilDeadlineMs } from './deployment-status.ts'
import {
  firstSize,
  isScalingEvent,
  type RolloutShape,
  recreateStep,
  rollingStep,
  rolloutShape,
  type Sizing,
  scalingStep,
} from './deployment-step.ts'
import { conditionOf, controllerOf, isFinished, isTerminating, keyOf, splitKey, timeText, withoutZeros } from './pod-state.ts'
import { controllerReference, templateText } from './pod-template.ts'

const writer = controllerWriter('deployment-controller')
const source: EventSource = { component: 'deployment-controller', writer }
const noDeadline = 2_147_483_647

/** A set that stands for a template it does not equal: see `meantSet`. */
interface Meant {
  readonly setUid: string
  readonly template: string
}

export function startDeployments(context: ComponentContext): void {
  const { view, loop } = context
  const meant = new Map<string, Meant>()
  const queue = loop.queue('deployments.apps', key => {
    const { namespace, name } = splitKey(key)
    const deployment = view.get('deployments.apps', namespace, name)
    if (deployment === undefined) return
    new Rollout(context, deployment, meant.get(deployment.metadata.uid ?? '')).run()
    const now = view.get('deployments.apps', namespace, name)
    const wait = now === undefined ? undefined : untilDeadlineMs(now, context.clock.now())
    if (wait !== undefined) queue.addAfter(key, Math.max(1, wait))
  })
  view.on('deployments.apps', ({ type, object }) => {
    if (type !== 'DELETED') return queue.add(keyOf(object))
    meant.delete(object.metadata.uid ?? '')
    queue.remove(keyOf(object))
  })
  const addOwner = (set: ReplicaSet) => {
    const owner = controllerOf(set)
    if (owner?.kind === 'Deployment')
      return queue.add(keyOf({ metadata: { name: owner.name, namespace: set.metadata.namespace ?? '' } }))
    if (owner !== undefined) return
    for (const deployment of view.list('deployments.apps', set.metadata.namespace)) {
      if (selectorFor(deployment.spec.selector).matches(set.metadata.labels)) queue.add(keyOf(deployment))
    }
  }
  view.on('replicasets.apps', ({ object }) => addOwner(object))
  // Recreate waits for old pods to be gone.
  view.on('pods', ({ type, object }) => {
    const owner = controllerOf(object)
    if (owner?.kind !== 'ReplicaSet' || (type !== 'DELETED' && !isFinished(object))) return
    const set = view.get('replicasets.apps', object.metadata.namespace, owner.name)
    if (set !== undefined) addOwner(set)
  })
  view.each('deployments.apps', deployment => {
    queue.add(keyOf(deployment))
    rememberMeant(context, deployment, meant)
  })
}

function rememberMeant({ view }: ComponentContext, deployment: Deployment, meant: Map<string, Meant>): void {
  const uid = deployment.metadata.uid ?? ''
  const sets = view.list('replicasets.apps', deployment.metadata.namespace).filter(set => controllerOf(set)?.uid === uid)
  if (currentSet(deployment, sets) !== undefined) return
  const setUid = meantSet(deployment, sets)?.metadata.uid
  if (setUid !== undefined) meant.set(uid, { setUid, template: templateText(deployment.spec.template) })
}

/** One run over one Deployment. */
class Rollout {
  readonly #context: ComponentContext
  #deployment: Deployment
  #sets: readonly ReplicaSet[] = []
  #current: ReplicaSet | undefined
  readonly #meant: Meant | undefined
  readonly #shape: RolloutShape

  constructor(context: ComponentContext, deployment: Deployment, meant: Meant | undefined) {
    this.#context = context
    this.#deployment = deployment
    this.#meant = meant
    this.#shape = rolloutShape(deployment)
  }

  run(): void {
    this.#findSets()
    if (!isTerminating(this.#deployment)) this.#step()
    this.#writeStatus()
  }

  #step(): void {
    this.#tellPaused()
    const isPaused = this.#deployment.spec.paused === true
    this.#syncRevisions()
    if (isPaused || isScalingEvent(this.#shape.desired, this.#states())) this.#scale()
    else if (this.#deployment.spec.strategy?.type === 'Recreate') this.#recreate()
    else this.#roll()
    this.#findSets()
    if (isPaused || this.#isComplete()) this.#cleanUp()
  }

  #findSets(): void {
    const { view, access } = this.#context
    const uid = this.#deployment.metadata.uid
    const selector = selectorFor(this.#deployment.spec.selector)
    const own: ReplicaSet[] = []
    for (const set of view.list('replicasets.apps', this.#deployment.metadata.namespace)) {
      const owner = controllerOf(set)
      if (owner?.uid === uid) own.push(set)
      else if (
        owner === undefined &&
        !isTerminating(set) &&
        !isTerminating(this.#deployment) &&
        selector.matches(set.metadata.labels)
      ) {
        const ownerReferences = [...(set.metadata.ownerReferences ?? []), controllerReference(this.#deployment)]
        const adopted: ReplicaSet = { ...set, metadata: { ...set.metadata, ownerReferences } }
        access.update('replicasets.apps', adopted, writer)
        own.push(view.get('replicasets.apps', set.metadata.namespace, set.metadata.name) ?? adopted)
      }
    }
    this.#sets = own
    this.#current = currentSet(this.#deployment, own) ?? this.#meantNow(own)
  }

  #meantNow(sets: readonly ReplicaSet[]): ReplicaSet | undefined {
    const meant = this.#meant
    if (meant === undefined || meant.template !== templateText(this.#deployment.spec.template)) return undefined
    return sets.find(set => set.metadata.uid === meant.setUid)
  }

  #old(): readonly ReplicaSet[] {
    return this.#sets.filter(set => set !== this.#current)
  }

  #states() {
    return this.#sets.map(setState)
  }

  /** The current set's annotations, and the Deployment's revision after it. */
  #syncRevisions(): void {
    if (this.#current === undefined) return
    const annotated = annotatedSet(this.#deployment, this.#current, this.#oldRevision())
    if (annotated !== this.#current) {
      this.#context.access.update('replicasets.apps', annotated, writer)
      this.#findSets()
    }
    this.#takeRevision()
    if (this.#hasDeadline() && conditionOf(conditionsOf(this.#deployment), 'Progressing') === undefined) {
      this.#note('FoundNewReplicaSet', `Found new replica set "${this.#current?.metadata.name}"`)
    }
  }

  #takeRevision(): void {
    const revision = this.#current === undefined ? 0 : revisionOf(this.#current)
    const { metadata } = this.#deployment
    if (revision === 0 || metadata.annotations?.[revisionAnnotation] === String(revision)) return
    const annotations = { ...metadata.annotations, [revisionAnnotation]: String(revision) }
    this.#context.access.update('deployments.apps', { ...this.#deployment, metadata: { ...metadata, annotations } }, writer, {
      subresource: 'status',
    })
    this.#reread()
  }

  #reread(): void {
    const { namespace, name } = this.#deployment.metadata
    this.#deployment = this.#context.view.get('deployments.apps', namespace, name) ?? this.#deployment
  }

  #oldRevision(): number {
    return Math.max(0, ...this.#old().map(revisionOf))
  }

  #roll(): void {
    if (this.#current === undefined) this.#makeSet()
    if (this.#current === undefined) return
    this.#apply(rollingStep(this.#shape, setState(this.#current), this.#old().map(setState)))
  }

  #recreate(): void {
    const { view } = this.#context
    const old = this.#old()
    const shrink = recreateStep(this.#shape, this.#current && setState(this.#current), old.map(setState), 1)
    if (shrink.length > 0) {
      this.#apply(shrink)
      return
    }
    const left = old.flatMap(set => view.podsOf(set.metadata.uid ?? '')).filter(pod => !isFinished(pod)).length
    if (left > 0) return
    if (this.#current === undefined) this.#makeSet()
    this.#apply(recreateStep(this.#shape, this.#current && setState(this.#current), old.map(setState), left))
  }

  #scale(): void {
    const isRolling = this.#deployment.spec.strategy?.type !== 'Recreate'
    this.#apply(scalingStep(this.#shape, this.#current && setState(this.#current), this.#old().map(setState), isRolling))
    this.#findSets()
    const { desired, surge } = this.#shape
    for (const set of this.#sets) {
      const replicas = set.spec.replicas ?? 1
      if (replicas === 0) continue
      const annotated = resized(set, { to: replicas, desired, max: desired + surge })
      if (annotated !== set) this.#context.access.update('replicasets.apps', annotated, writer)
    }
  }

  #makeSet(): void {
    const { access, view } = this.#context
    const collisions = this.#collisions()
    const { desired, surge } = this.#shape
    const isRolling = this.#deployment.spec.strategy?.type !== 'Recreate'
    const to = firstSize(this.#shape, this.#old().map(setState), isRolling)
    const sizes = { to, desired, max: desired + surge }
    const set = newSet(this.#deployment, { oldRevision: this.#oldRevision(), collisions, sizes })
    try {
      access.create('replicasets.apps', set, writer)
    } catch (error) {
      if (!isAlreadyExists(error)) throw error
      const other = view.get('replicasets.apps', set.metadata.namespace, set.metadata.name)
      if (other !== undefined && templateText(other.spec.template) === templateText(set.spec.template)) throw error
      // Another template has the name: the next hash takes the count in.
      const status = { ...this.#deployment.status, collisionCount: collisions + 1 }
      access.update('deployments.apps', { ...this.#deployment, status }, writer, { subresource: 'status' })
      return
    }
    if (to > 0) this.#tellScaled(set.metadata.name, 0, to)
    this.#findSets()
    this.#takeRevision()
    if (this.#hasDeadline()) this.#note('NewReplicaSetCreated', `Created new replica set "${set.metadata.name}"`)
  }

  #collisions(): number {
    const count = this.#deployment.status?.['collisionCount']
    return typeof count === 'number' ? count : 0
  }

  #apply(sizings: readonly Sizing[]): void {
    const { access } = this.#context
    const { desired, surge } = this.#shape
    for (const { name, to } of sizings) {
      const set = this.#sets.find(candidate => candidate.metadata.name === name)
      if (set === undefined) continue
      const from = set.spec.replicas ?? 1
      access.update('replicasets.apps', resized(set, { to, desired, max: desired + surge }), writer)
      this.#tellScaled(name, from, to)
    }
  }

  #tellScaled(name: string, from: number, to: number): void {
    const message = `Scaled ${to > from ? 'up' : 'down'} replica set ${name} from ${from} to ${to}`
    this.#context.events.record(this.#deployment, source, { type: 'Normal', reason: 'ScalingReplicaSet', message })
  }

  #isComplete(): boolean {
    const current = this.#current
    if (current === undefined) return false
    const { desired } = this.#shape
    const total = this.#sets.reduce((sum, set) => sum + statusCount(set, 'replicas'), 0)
    return (
      statusCount(current, 'replicas') === desired && total === desired && statusCount(current, 'availableReplicas') === desired
    )
  }

  /** Drops empty old sets beyond the history limit, oldest revision first. */
  #cleanUp(): void {
    const limit = this.#deployment.spec.revisionHistoryLimit ?? 10
    const empty = this.#old().filter(
      set => (set.spec.replicas ?? 1) === 0 && statusCount(set, 'replicas') === 0 && !isTerminating(set),
    )
    const surplus = empty
      .toSorted((a, b) => revisionOf(a) - revisionOf(b) || byAge(a, b))
      .slice(0, Math.max(0, empty.length - limit))
    for (const set of surplus) this.#context.access.remove('replicasets.apps', set.metadata.namespace, set.metadata.name, writer)
  }

  #hasDeadline(): boolean {
    return (this.#deployment.spec.progressDeadlineSeconds ?? 600) !== noDeadline
  }

  #tellPaused(): void {
    if (!this.#hasDeadline()) return
    const before = conditionOf(conditionsOf(this.#deployment), 'Progressing')
    const isTold = before?.reason === 'DeploymentPaused'
    if (before?.reason === 'ProgressDeadlineExceeded') return
    if (this.#deployment.spec.paused === true && !isTold) this.#note('DeploymentPaused', 'Deployment is paused', 'Unknown')
    else if (this.#deployment.spec.paused !== true && isTold) this.#note('DeploymentResumed', 'Deployment is resumed', 'Unknown')
  }

  /** Sets Progressing on the Deployment at hand; the status write at the end stores it. */
  #note(reason: string, message: string, status: Condition['status'] = 'True'): void {
    const conditions = setCondition(
      conditionsOf(this.#deployment),
      { type: 'Progressing', status, reason, message },
      timeText(this.#context.clock.now()),
    )
    this.#deployment = { ...this.#deployment, status: { ...this.#deployment.status, conditions } }
  }

  #writeStatus(): void {
    const { access, clock, minorVersion } = this.#context
    const current = this.#current
    const failing = [...(current === undefined ? [] : [current]), ...this.#old()]
      .map(failureOf)
      .find(condition => condition !== undefined)
    const count = this.#deployment.status?.['collisionCount']
    const status = deploymentStatus({
      deployment: this.#deployment,
      all: this.#sets.map(countsOf).reduce(sum, noPods),
      current: current === undefined ? undefined : { name: current.metadata.name, ...countsOf(current) },
      unavailable: this.#deployment.spec.strategy?.type === 'Recreate' ? 0 : this.#shape.unavailable,
      failure: failing,
      collisionCount: typeof count === 'number' ? count : undefined,
      minorVersion,
      nowMs: clock.now(),
    })
    const stored = this.#context.view.get('deployments.apps', this.#deployment.metadata.namespace, this.#deployment.metadata.name)
    const { conditions, collisionCount, terminatingReplicas, ...counts } = status
    const written = {
      ...withoutZeros(counts),
      ...(terminatingReplicas === undefined ? {} : { terminatingReplicas }),
      ...(collisionCount === undefined ? {} : { collisionCount }),
      conditions,
    }
    if (stored === undefined || isSameContent(stored.status, written)) return
    access.update('deployments.apps', { ...stored, status: written }, writer, { subresource: 'status' })
  }
}

const noPods: SetCounts = { desired: 0, replicas: 0, ready: 0, available: 0, terminating: 0 }

function countsOf(set: ReplicaSet): SetCounts {
  return {
    desired: set.spec.replicas ?? 1,
    replicas: statusCount(set, 'replicas'),
    ready: statusCount(set, 'readyReplicas'),
    available: statusCount(set, 'availableReplicas'),
    terminating: statusCount(set, 'terminatingReplicas'),
  }
}

function sum(a: SetCounts, b: SetCounts): SetCounts {
  return {
    desired: a.desired + b.desired,
    replicas: a.replicas + b.replicas,
    ready: a.ready + b.ready,
    available: a.available + b.available,
    terminating: a.terminating + b.terminating,
  }
}

function failureOf(set: ReplicaSet): Condition | undefined {
  const conditions = set.status?.['conditions']
  if (!Array.isArray(conditions)) return undefined
  return conditionOf(conditions as readonly Condition[], 'ReplicaFailure')
}
