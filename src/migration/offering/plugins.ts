// Upstream's side where both sides offer the same on nodes: its operator, if it has one, and DaemonSets, which sleep by a selector of nodes. A DaemonSet
// that a live operator looks after sleeps by its object: else the operator would wake it.
import type { KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import { no, type Proof, yes } from '#upstreams/proof.ts'
import { asleepLabel } from '#upstreams/recognition.ts'
import type { OfferingPart } from '#upstreams/upstream.ts'
import { valueAt } from '#upstreams/values-tree.ts'
import { of } from '../access.ts'
import { named, shown } from '../both.ts'
import { keepBefore, loopSleeps, loopWorks, putToSleep, replicasBefore, scaleLoop } from '../loops.ts'
import { fieldManager } from '../own-made.ts'
import type { Loop, Situation, Theirs } from '../place.ts'
import { isAsleep, setSleep, workersSleep } from '../publishing/published.ts'
import { listOf, optional } from '../reading.ts'
import { readSituation } from '../situation.ts'
import { type Access, all, eventually, StepFailed, type Swap } from '../step.ts'
import { lackingNodes, podsOfSet } from './offered.ts'

/** Pods have their grace to end. */
const endPatienceMs = 300_000
/** An operator that starts, and a kubelet that hears of a pod. */
const startPatienceMs = 300_000

export const operatorsOf = (part: OfferingPart, { theirs }: Situation): readonly Theirs[] =>
  theirs.filter(({ workload }) => part.isOperator(workload))

export const pluginsOf = (part: OfferingPart, { theirs }: Situation): readonly Theirs[] =>
  theirs.filter(({ workload }) => workload.kind === 'DaemonSet' && !part.isOperator(workload))

/** The object that an operator makes a DaemonSet of, by its kind and name. */
function objectOf(part: OfferingPart, { workload }: Loop) {
  const owner = (workload.metadata.ownerReferences ?? []).find(one => one.controller === true)
  const resource = owner === undefined ? undefined : part.objects[owner.kind]
  return owner === undefined || resource === undefined ? undefined : { resource, kind: owner.kind, name: owner.name }
}

export const isOwned = (part: OfferingPart, loop: Loop): boolean => objectOf(part, loop) !== undefined

/** What keeps the operator awake, in words; none: nothing of it is left once ours offers devices. */
export async function staysFor(swap: Swap, part: OfferingPart, situation: Situation): Promise<readonly string[]> {
  return operatorsOf(part, situation).length === 0 ? [] : await part.looksAfter(swap)
}

/** The operator sleeps, unless it looks after something else: it would bring its DaemonSets back. */
export async function holdOperators(swap: Swap, part: OfferingPart): Promise<void> {
  const situation = await readSituation(swap)
  const operators = operatorsOf(part, situation)
  if ((await staysFor(swap, part, situation)).length > 0) return
  await keepBefore(swap, operators, true)
  for (const { namespace, name } of operators)
    await putToSleep(swap, now => {
      const found = operatorsOf(part, now).find(one => one.namespace === namespace && one.name === name)
      if (found === undefined) throw new StepFailed(`Deployment ${namespace}/${name} is gone: somebody deleted it meanwhile`)
      return found
    })
}

export async function operatorsHeld(swap: Swap, part: OfferingPart, situation: Situation): Promise<Proof> {
  const operators = operatorsOf(part, situation)
  if (operators.length === 0) return yes('upstream has no operator here')
  const kept = await staysFor(swap, part, situation)
  if (kept.length > 0) return yes(`${operators.map(shown).join(', ')} stays awake, since it looks after ${kept.join(', ')}`)
  return all(...operators.map(loopSleeps))
}

/** Sleep, and none of their pods is left. @throws StepFailed where they do not end */
export async function sleepPlugins(swap: Swap, part: OfferingPart): Promise<void> {
  const situation = await readSituation(swap)
  const isKept = (await staysFor(swap, part, situation)).length > 0
  for (const loop of pluginsOf(part, situation)) {
    if (isAsleep(loop)) continue
    const object = objectOf(part, loop)
    if (isKept && object !== undefined) await setObject(swap, object, 'true')
    else await setSleep(swap, loop, 'true')
  }
  const ended = await eventually(swap, endPatienceMs, async () => workersSleep(swap, pluginsOf(part, await readSituation(swap))))
  if (!ended.ok) throw new StepFailed(`${ended.said}, after ${endPatienceMs / 60_000} minutes`)
}

export const pluginsSleep = (swap: Swap, part: OfferingPart, situation: Situation): Promise<Proof> =>
  workersSleep(swap, pluginsOf(part, situation))

type NamedObject = NonNullable<ReturnType<typeof objectOf>>

async function setObject({ api, signal }: Swap, { resource, name }: NamedObject, value: string | null): Promise<void> {
  const body = { spec: { nodeSelector: { [asleepLabel]: value } } }
  await api.resource(resource).patch(name, { type: 'merge', body }, { signal, fieldManager })
}

/** Operator, objects and DaemonSets are as they were before a swap; pods come. @throws StepFailed where the operator does not */
export async function wakeTheirs(swap: Swap, part: OfferingPart): Promise<void> {
  const situation = await readSituation(swap)
  const operators = operatorsOf(part, situation)
  for (const loop of operators) await scaleLoop(swap, loop, replicasBefore(swap, loop))
  // Its webhook judges each write of its objects.
  const isUp = await eventually(swap, startPatienceMs, async () => {
    const now = await readSituation(swap)
    return all(...operatorsOf(part, now).map(loop => loopWorks(loop, now.leases)))
  })
  if (!isUp.ok) throw new StepFailed(isUp.said)
  for (const [kind, resource] of Object.entries(part.objects))
    for (const { metadata, ...rest } of await listOf(swap.api, resource, kind, { signal: swap.signal }))
      if (valueAt(rest, ['spec', 'nodeSelector', asleepLabel]) !== undefined)
        await setObject(swap, { resource, kind, name: metadata.name }, null)
  // An operator writes the selectors of its DaemonSets itself.
  for (const loop of pluginsOf(part, situation))
    if (isAsleep(loop) && (operators.length === 0 || !isOwned(part, loop))) await setSleep(swap, loop, null)
}

/** Is everything of upstream's awake? */
export function theirsAwake(part: OfferingPart, situation: Situation): Proof {
  const plugins = pluginsOf(part, situation)
  if (plugins.length === 0) return no('upstream has no DaemonSet yet')
  const asleep = plugins.find(isAsleep)
  if (asleep !== undefined) return no(`${shown(asleep)} sleeps`)
  return all(...operatorsOf(part, situation).map(loop => loopWorks(loop, situation.leases)), yes(plugins.map(shown).join(', ')))
}

/**
 * Upstream's plugins are started anew on nodes that lack what they had. A kubelet before 1.37 knows plugins by their resource alone, so that it may take
 * the end of ours for that of upstream's, which would not register again by itself. Such a pod holds no device, and who has one keeps it.
 */
export async function renewPlugins(swap: Swap, part: OfferingPart): Promise<void> {
  const lacking = new Set(await lackingNodes(swap, part))
  if (lacking.size === 0) return
  const situation = await readSituation(swap)
  for (const loop of pluginsOf(part, situation))
    for (const pod of await podsOfSet(swap, loop)) {
      const node = valueAt(pod['spec'], ['nodeName'])
      if (typeof node !== 'string' || !lacking.has(node)) continue
      swap.tell(`${node}: the kubelet does not count its devices, and upstream's pod ${pod.metadata.name} starts anew`)
      await deletePod(swap, pod)
    }
}

async function deletePod({ api, signal }: Swap, { metadata: { name, namespace, uid } }: KubeObject): Promise<void> {
  try {
    await api.resource(builtIn.pods).delete(name, { namespace, signal, ...(uid === undefined ? {} : { preconditions: { uid } }) })
  } catch (error) {
    if (!isNotFound(error)) throw error
  }
}

/** Those of `objects` that are not there, by name. */
export async function missingOnes(
  { api, signal }: Swap,
  objects: readonly KubeObject[],
  resourceOf: (object: KubeObject) => Parameters<Swap['api']['resource']>[0],
): Promise<readonly string[]> {
  const missing: string[] = []
  for (const object of objects) {
    const { name, namespace } = object.metadata
    if ((await optional(api.resource(resourceOf(object)).get(name, { namespace, signal }))) === undefined)
      missing.push(`${object.kind} ${namespace === undefined ? name : named({ namespace, name })}`)
  }
  return missing
}

/** What upstream's plugins are told, as values of ours: their objects, and DaemonSets that no operator made. */
export function convertCommand({ upstream }: Pick<Swap, 'upstream'>, part: OfferingPart, plugins: readonly Loop[]): string {
  const got = plugins.map(loop => {
    const object = objectOf(part, loop)
    if (object === undefined) return `kubectl -n ${loop.namespace} get daemonset ${loop.name} -o yaml`
    const { resource, group } = object.resource
    return `kubectl get ${resource}.${group} ${object.name} -o yaml`
  })
  return `(${got.join('; echo ---; ')}) | ballast migrate values --from ${upstream.replaced.id} -o values.yaml -`
}

/** To put plugins to sleep, and to wake them. */
export function needsOfPlugins(part: OfferingPart, situation: Situation, isKept: boolean): readonly Access[] {
  const plugins = pluginsOf(part, situation)
  return [
    ...plugins.map(({ namespace }) => of(builtIn.daemonsets, namespace, 'patch')),
    ...(isKept ? plugins.flatMap(loop => objectOf(part, loop)?.resource ?? []) : []).map(resource =>
      of(resource, undefined, 'patch'),
    ),
  ]
}
