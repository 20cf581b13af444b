// What is done to workloads: scaled, given other requests, put as a manifest says.

import type { Container, KubeObject, PodTemplateSpec } from '#kube/objects/objects.ts'
import { InputError } from '#kube/problem.ts'
import { reconcileDaemons } from './controllers.ts'
import { workloadSpec } from './pod-making.ts'
import { rollOut } from './rollouts.ts'
import { scaleTo } from './scaling.ts'
import type { OperationOf } from './scenario.ts'
import type { StepContext } from './step-context.ts'

export function scaleWorkload(context: StepContext, operation: OperationOf<'scale'>): string {
  const workload = context.workload(operation.workload)
  const said = scaleTo(context.world, workload, operation.replicas)
  if (said === undefined)
    context.refuse('workload', `${workload.kind} ${operation.workload}`, 'a Deployment, StatefulSet or ReplicaSet')
  context.world.stage()
  return said
}

export function setRequests(context: StepContext, operation: OperationOf<'setRequests'>): string {
  const workload = context.workload(operation.workload)
  const { template } = workloadSpec(workload)
  if (template === undefined) context.refuse('workload', operation.workload, 'a workload that has a template')
  const { containers } = template.spec
  const names = containers.map(({ name }) => name)
  const [only, second] = names
  const name = operation.container ?? (second === undefined ? only : undefined)
  if (name === undefined) context.refuse('container', 'none', `one of ${names.join(', ')}`)
  if (!names.includes(name)) context.refuse('container', name, `one of ${names.join(', ')}`)
  const resized = (container: Container): Container =>
    container.name === name
      ? {
          ...container,
          resources: { ...container.resources, requests: { ...container.resources?.requests, ...operation.requests } },
        }
      : container
  replaceTemplate(context, workload, { ...template, spec: { ...template.spec, containers: containers.map(resized) } })
  const shown = Object.entries(operation.requests).map(([resource, amount]) => `${resource} ${amount}`)
  return `${workload.kind} ${operation.workload} asks for ${shown.join(', ')}`
}

function replaceTemplate(context: StepContext, workload: KubeObject, template: PodTemplateSpec): void {
  const changed = { ...workload, spec: { ...workloadSpec(workload), template } }
  context.world.put(changed)
  context.notes.push(...rollOut(context.world, changed))
}

/** Puts objects as `kubectl apply` does: what a manifest does not say stays as it is, what it changes of a template is rolled out. */
export function applyObjects(context: StepContext, operation: OperationOf<'apply'>): string {
  const { world } = context
  // What the schema let through has the shape of an object.
  const given =
    operation.file === undefined
      ? ((operation.objects ?? []) as readonly KubeObject[])
      : context.outside.objectsOf(operation.file)
  const problems = given.flatMap(object =>
    world.problemsOf(object, context.where(operation.file === undefined ? 'objects' : 'file')),
  )
  if (problems.length > 0) throw new InputError(problems)
  let changed = 0
  // What pods of the same file may depend on comes first.
  const isWorkload = ({ kind }: KubeObject) => ['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Pod'].includes(kind)
  for (const object of given.toSorted((a, b) => Number(isWorkload(a)) - Number(isWorkload(b))))
    if (applyOne(context, object)) changed++
  world.schedule()
  return `${given.length} ${given.length === 1 ? 'object is' : 'objects are'} applied, ${changed} changed`
}

/** Whether it changed anything. */
function applyOne(context: StepContext, object: KubeObject): boolean {
  const { world } = context
  const before = world.object(object.kind, object.metadata.namespace, object.metadata.name)
  if (before === undefined) {
    create(context, object)
    return true
  }
  const after = merged(before, object)
  if (isSame(before, after)) return false
  if (object.kind === 'Pod') {
    context.notes.push(`Pod ${object.metadata.namespace}/${object.metadata.name} is there: pods are not changed`)
    return false
  }
  const [old, next] = [workloadSpec(before), workloadSpec(after)]
  world.put(after)
  if (object.kind === 'Node') reconcileDaemons(world, [object.metadata.name])
  if (!isSame(old.template, next.template) && next.template !== undefined) context.notes.push(...rollOut(world, after))
  if (next.replicas !== undefined && next.replicas !== old.replicas) scaleTo(world, after, next.replicas)
  return true
}

function create(context: StepContext, object: KubeObject): void {
  const { world } = context
  const { namespace, uid } = object.metadata
  const made = uid === undefined ? { ...object, metadata: { ...object.metadata, uid: world.uid() } } : object
  if (object.kind === 'Pod') {
    // Its shape has been checked.
    world.create({
      ...made,
      metadata: { ...made.metadata, namespace: namespace ?? 'default' },
      spec: { containers: [], ...workloadSpec(object) },
    })
    return
  }
  world.put(made)
  if (object.kind === 'Node') reconcileDaemons(world, [object.metadata.name])
  else if (object.kind === 'DaemonSet') reconcileDaemons(world, world.state.nodes.keys())
  else if (['Deployment', 'StatefulSet', 'ReplicaSet'].includes(object.kind))
    scaleTo(world, made, workloadSpec(made).replicas ?? 1)
}

/** `change` over `value`: maps by key, lists of named items by name, everything else as the change has it. `null` takes a field away. */
function merged<Value>(value: Value, change: unknown): Value {
  // Each branch gives back what it was given, changed in the fields that are named.
  return mergedAny(value, change) as Value
}

function mergedAny(value: unknown, change: unknown): unknown {
  if (change === undefined) return value
  if (isRecord(value) && isRecord(change)) {
    const result: Record<string, unknown> = { ...value }
    for (const [key, inner] of Object.entries(change)) {
      if (inner === null) Reflect.deleteProperty(result, key)
      else result[key] = Object.hasOwn(value, key) ? mergedAny(value[key], inner) : inner
    }
    return result
  }
  if (Array.isArray(value) && Array.isArray(change)) {
    const items: readonly unknown[] = change
    const olds: readonly unknown[] = value
    const nameOf = (item: unknown) => (isRecord(item) ? item['name'] : undefined)
    return items.map(item => {
      const old = nameOf(item) === undefined ? undefined : olds.find(other => nameOf(other) === nameOf(item))
      return old === undefined ? item : mergedAny(old, item)
    })
  }
  return change
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Equal as JSON, whatever the order of keys. */
function isSame(one: unknown, other: unknown): boolean {
  if (one === other) return true
  if (Array.isArray(one) && Array.isArray(other))
    return one.length === other.length && one.every((item, at) => isSame(item, other[at]))
  if (!isRecord(one) || !isRecord(other)) return false
  const keys = Object.keys(one)
  return keys.length === Object.keys(other).length && keys.every(key => Object.hasOwn(other, key) && isSame(one[key], other[key]))
}
