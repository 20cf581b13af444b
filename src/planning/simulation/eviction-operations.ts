// Pods leave: by eviction, which asks their budgets, by a drain, which asks again until nothing goes any more, or by deletion.

import { BudgetLedger } from '#cluster/budget-ledger.ts'
import type { PodState } from '#cluster/cluster-state.ts'
import { kindKey } from '#cluster/ownership.ts'
import type { Pod } from '#kube/objects/objects.ts'
import { isOfDaemonSet, isStatic, reconcileDaemons, takeAway, workloadsNamed } from './controllers.ts'
import { chosenPods } from './pod-choice.ts'
import type { Refused } from './report.ts'
import type { OperationOf } from './scenario.ts'
import type { StepContext } from './step-context.ts'

/** The budgets of the world as it is now. */
export function ledgerOf(context: StepContext): BudgetLedger {
  return new BudgetLedger(context.world.state, { nowMs: context.world.nowMs })
}

/** Asks the eviction API for each pod; those that may go are on their way. */
function askAll(
  context: StepContext,
  pods: readonly PodState[],
): { readonly allowed: readonly PodState[]; readonly refused: readonly Refused[] } {
  const ledger = ledgerOf(context)
  const refused: Refused[] = []
  const allowed = pods.filter(pod => {
    const answer = ledger.evict(pod)
    if (answer.kind === 'allowed') return true
    const { code, message, cause, budget } = answer
    refused.push({
      pod: pod.key,
      code,
      message,
      ...(cause === undefined ? {} : { cause }),
      ...(budget === undefined ? {} : { budget }),
    })
    return false
  })
  return { allowed, refused }
}

/** The pods are gone, what takes their place has had its turn. */
function leave(context: StepContext, pods: readonly PodState[]): void {
  const { world } = context
  world.stage()
  for (const pod of pods) if (takeAway(world, pod).kind === 'lost') context.tellLost(pod)
  world.schedule()
  world.stage()
}

export function evictPods(context: StepContext, operation: OperationOf<'evict'>): string {
  const pods = chosenPods(context, operation)
  let evicted = 0
  // Together: none of them is replaced before all have been asked for.
  const groups = operation.pace === 'together' ? [pods] : pods.map(pod => [pod])
  for (const group of groups) {
    const now = group
      .flatMap(pod => context.world.state.pods.get(pod.key) ?? [])
      .filter(pod => group.some(({ uid }) => uid === pod.uid))
    const { allowed, refused } = askAll(context, now)
    context.refusals.push(...refused)
    leave(context, allowed)
    evicted += allowed.length
  }
  if (pods.length === 0) context.notes.push('no pod is chosen')
  return `${evicted} of ${pods.length} pods are evicted`
}

export function drainNodes(context: StepContext, operation: OperationOf<'drain'>): string {
  const names = context.nodes(operation.node)
  const left = names.map(name =>
    drainNode(context, name, { isForced: operation.force, deletesEmptyDirs: operation.deleteEmptyDirData }),
  )
  const said = names.map((name, at) => `${name} ${left[at] === 0 ? 'is drained' : `keeps ${left[at]} pods`}`)
  return said.join(', ')
}

interface DrainRules {
  readonly isForced: boolean
  readonly deletesEmptyDirs: boolean
}

/** Cordons a node and empties it as `kubectl drain --ignore-daemonsets` does. How many pods stay that were to go. */
export function drainNode(context: StepContext, name: string, rules: DrainRules): number {
  const { world } = context
  const node = world.state.nodes.get(name)
  if (node?.isSchedulable === true) {
    world.put({ ...node.object, spec: { ...node.object.spec, unschedulable: true } })
    reconcileDaemons(world, [name])
  }
  const toGo = () => world.state.podsOn(name).filter(pod => !isOfDaemonSet(pod) && !isStatic(pod))
  const held = heldBack(toGo(), rules)
  if (held.length > 0) {
    // kubectl evicts none where it would not evict all.
    context.refusals.push(...held)
    return toGo().length
  }
  let round = 0
  for (;;) {
    const pods = toGo()
    if (pods.length === 0) return 0
    const { allowed, refused } = askAll(context, pods)
    leave(context, allowed)
    round++
    if (allowed.length > 0) continue
    context.refusals.push(...refused)
    context.notes.push(`${name}: nothing goes any more after ${round} rounds`)
    return pods.length
  }
}

/** What kubectl refuses to drain without being told to. */
function heldBack(pods: readonly PodState[], rules: DrainRules): readonly Refused[] {
  const bare = (pod: PodState) => (pod.object.metadata.ownerReferences ?? []).every(owner => owner.controller !== true)
  const local = (pod: PodState) => (pod.object.spec.volumes ?? []).some(volume => volume.emptyDir !== undefined)
  const texts = [
    { isHeld: bare, isMuted: rules.isForced, message: 'cannot delete Pods that declare no controller (force: true overrides)' },
    {
      isHeld: local,
      isMuted: rules.deletesEmptyDirs,
      message: 'cannot delete Pods with local storage (deleteEmptyDirData: true overrides)',
    },
  ]
  return pods.flatMap(pod => {
    const found = texts.find(({ isHeld, isMuted }) => !isMuted && isHeld(pod))
    return found === undefined ? [] : [{ pod: pod.key, code: 0, message: found.message }]
  })
}

export function deleteThings(context: StepContext, operation: OperationOf<'delete'>): string {
  const { world } = context
  if (operation.object === undefined) {
    const pods = chosenPods(context, operation)
    leave(context, pods)
    return `${pods.length} pods are deleted; budgets are not asked`
  }
  const { kind, namespace, name } = operation.object
  const object = world.object(kind, namespace, name)
  const shown = `${kind} ${namespace === undefined ? '' : `${namespace}/`}${name}`
  if (object === undefined) context.refuse('object', shown, 'an object that is there')
  if (kind === 'Node') context.refuse('object.kind', kind, 'another kind; removeNode takes nodes away')
  if (kind === 'Pod') {
    const pod = world.state.pods.get(`${namespace ?? 'default'}/${name}`)
    if (pod !== undefined) leave(context, [pod])
    return `${shown} is deleted`
  }
  const below = new Set([object.metadata.uid])
  const found = workloadsNamed(world, `${namespace ?? 'default'}/${kind}/${name}`).some(
    ({ metadata }) => metadata.uid === object.metadata.uid,
  )
  let pods = 0
  if (found && object.metadata.uid !== undefined)
    for (const pod of world.state.podsOf(object.metadata.uid)) {
      world.remove(pod.object as Pod)
      pods++
    }
  for (const owned of ['ReplicaSet', 'Job'])
    for (const child of world.state.objectsIn(owned, namespace ?? ''))
      if (child.metadata.ownerReferences?.some(owner => below.has(owner.uid))) world.drop(child)
  world.drop(object)
  world.schedule()
  return `${shown} is deleted${pods === 0 ? '' : ` with its ${pods} pods`}${kindKey(object.apiVersion, kind) === kind ? '' : ` (${object.apiVersion})`}`
}
