// What ScaledObjects hold at zero replicas is woken when Ballast is uninstalled: nobody would do it afterwards, and what sleeps would answer no
// request any more. The ScaledObjects and their autoscalers are the users', and stay.

import { readScale, scaleOwn, scalePart } from '#coordination/effects/scale-own.ts'
import type { CapabilityObjects } from '#deployment/capability-objects.ts'
import { placeOf, type RemovalRun } from '#deployment/removal/removal-run.ts'
import { each, text } from '#deployment/tree.ts'
import { messageOf } from '#kube/log.ts'
import { imagesOf } from '#kube/objects/object-fields.ts'
import type { Deployment, KubeObject } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isNotFound } from '#kube/objects/status.ts'
import type { ScaledObject } from '../kinds/scaled-object.ts'
import { scaledObjects } from '../names.ts'
import { targetKindOf, targetOf } from '../operator/target.ts'
import { firstToWake, groupOf, wakeOutcome } from './waking.ts'

const scalable = [
  { group: 'apps', resources: ['deployments', 'replicasets', 'statefulsets'] },
  { group: 'argoproj.io', resources: ['rollouts'] },
] as const

export const givenBack: CapabilityObjects = {
  objects: () => [],
  uninstall: wakeHeld,
  uninstallRights: [
    ...scalable.flatMap(({ group, resources }) => [
      { apiGroups: [group], resources, verbs: ['get'] },
      { apiGroups: [group], resources: resources.map(one => `${one}${scalePart}`), verbs: ['get', 'update'] },
    ]),
    each('capabilities.autoscale.scaleKinds', {
      apiGroups: [text({ item: 'group' })],
      resources: [text({ item: 'resource' })],
      verbs: ['get'],
    }),
    each('capabilities.autoscale.scaleKinds', {
      apiGroups: [text({ item: 'group' })],
      resources: [text({ item: 'resource' }, scalePart)],
      verbs: ['get', 'update'],
    }),
  ],
}

/** Wakes what is held at zero; what stays there is told, each with its reason. */
async function wakeHeld(run: RemovalRun): Promise<void> {
  if (run.options.keep.has('asleep')) return
  const objects = await run.find<ScaledObject>(scaledObjects, () => true)
  if (objects.length === 0) return
  const sleepers: Target[] = []
  for (const object of objects) sleepers.push(...(await targetIn(run, object)))
  const awakeIn = new Map<string, string>()
  for (const { object, sleeping } of sleepers) {
    const group = groupOf(object)
    if (group !== undefined && sleeping === undefined) awakeIn.set(group, placeOf(object))
  }
  const isKedaThere = await isKedaRunning(run)
  for (const { object, sleeping } of sleepers.toSorted((a, b) => firstToWake(a.object, b.object))) {
    if (sleeping === undefined) continue
    const group = groupOf(object)
    const awake = group === undefined ? undefined : awakeIn.get(group)
    const { namespace, clock } = run.options
    const outcome = wakeOutcome({ object, target: sleeping.target, namespace, isKedaThere, awake, nowMs: clock.now() })
    const what = `${sleeping.kind} ${placeOf(sleeping.target)}`
    if (outcome.kind === 'wake') {
      if (group !== undefined) awakeIn.set(group, placeOf(object))
      await wake(run, { what, object, sleeping, replicas: outcome.replicas })
    } else run[outcome.kind].push(`${what} at zero replicas: ${outcome.because}`)
  }
}

/** KEDA's own operator, or a program of ours in its Deployment. */
async function isKedaRunning(run: RemovalRun): Promise<boolean> {
  const isOperator = (deployment: Deployment) =>
    deployment.metadata.labels?.['app.kubernetes.io/name'] === 'keda-operator' ||
    imagesOf(deployment).some(image => /(^|\/)kedacore\/keda([:@]|$)/.test(image))
  const found = await run.find<Deployment>(builtIn.deployments, isOperator)
  return found.some(({ spec }) => spec.replicas !== 0)
}

interface Sleeping {
  readonly kind: string
  readonly target: KubeObject
  readonly scaled: ReturnType<typeof targetOf>
}

interface Target {
  readonly object: ScaledObject
  /** Undefined: it is awake. */
  readonly sleeping: Sleeping | undefined
}

/** The target of `object`, if there is one; one that cannot be read is told. */
async function targetIn(run: RemovalRun, object: ScaledObject): Promise<readonly Target[]> {
  const { api, signal } = run.options
  const named = { ...object, kind: 'ScaledObject' }
  try {
    const kind = await targetKindOf(object, api, signal)
    const scaled = targetOf(object, kind)
    const scale = await readScale({ api }, scaled, signal)
    if ((scale.spec?.replicas ?? 0) > 0) return [{ object: named, sleeping: undefined }]
    const target = await api.resource<KubeObject>(scaled.resource).get(scaled.name, { namespace: scaled.namespace, signal })
    return [{ object: named, sleeping: { kind: kind.kind, target, scaled } }]
  } catch (error) {
    signal.throwIfAborted()
    if (!isNotFound(error)) run.left.push(`wake what ScaledObject ${placeOf(object)} holds at zero: ${messageOf(error)}`)
    return []
  }
}

async function wake(
  run: RemovalRun,
  { what, object, sleeping, replicas }: { what: string; object: ScaledObject; sleeping: Sleeping; replicas: number },
): Promise<void> {
  const words = `wake ${what} from 0 to ${replicas} replica${replicas === 1 ? '' : 's'}: ScaledObject ${placeOf(object)} holds it at zero, and nobody would wake it any more`
  await run.take(words, () =>
    scaleOwn(run.effects, sleeping.scaled, replicas, { requester: 'uninstall', onlyFrom: 0, signal: run.options.signal }),
  )
}
