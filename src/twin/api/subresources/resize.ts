// `pods/resize`: what of a pod it may change, and what is wrong with a change.
import { type FieldError, forbidden, invalid } from '#kube/objects/field-error.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { copyOf, type Draft, fieldsAt, isSame, itemsAt, textAt, valueAt } from '../../json-value.ts'

const lists = ['containers', 'initContainers'] as const
const resizable = new Set(['cpu', 'memory'])

/** Everything goes back to what is stored but resources and resize policies; containers that do not match are left for the validation. */
export function keepResizable(draft: Draft, existing: KubeObject): void {
  const spec = fieldsAt(draft, 'spec') ?? {}
  const before = fieldsAt(existing, 'spec') ?? {}
  if (lists.some(list => itemsAt(spec, list).length !== itemsAt(before, list).length)) return
  const kept: Draft = copyOf(before)
  for (const list of lists) {
    const given = itemsAt(spec, list)
    const stored = itemsAt(kept, list)
    for (const [index, container] of stored.entries()) {
      if (given[index]?.['name'] !== container['name']) return
      for (const field of ['resources', 'resizePolicy']) {
        const value = given[index]?.[field]
        if (value === undefined) delete container[field]
        else container[field] = value
      }
    }
  }
  if (spec['resources'] !== undefined) kept['resources'] = spec['resources']
  draft['spec'] = kept
}

/** `qualityOf`: the class of a pod's spec. */
export function resizeProblems(draft: Draft, existing: KubeObject, qualityOf: (spec: Draft) => string): readonly FieldError[] {
  if (existing.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined)
    return [forbidden('', 'static pods cannot be resized')]
  const now = fieldsAt(draft, 'spec') ?? {}
  const before = fieldsAt(existing, 'spec') ?? {}
  const problems: FieldError[] = []
  const stored = textAt(existing, 'status', 'qosClass') ?? qualityOf(copyOf(before))
  if (qualityOf(now) !== stored) problems.push(invalid('spec', stored, 'Pod QOS Class may not change as a result of resizing'))
  const running = itemsAt(existing, 'status', 'containerStatuses').find(
    status => fieldsAt(status, 'state', 'running') !== undefined,
  )
  if (running !== undefined && running['resources'] === undefined)
    problems.push(forbidden('spec', 'Pod running on node without support for resize'))
  const order = lists.flatMap(list => orderProblems(list, itemsAt(now, list), itemsAt(before, list)))
  if (order.length > 0) return [...problems, ...order]
  for (const list of ['initContainers', 'containers'] as const) {
    const old = itemsAt(before, list)
    for (const [index, container] of itemsAt(now, list).entries()) {
      const was = old[index] ?? {}
      for (const kind of ['requests', 'limits'] as const) {
        const names = Object.keys(fieldsAt(was, 'resources', kind) ?? {})
        const left = fieldsAt(container, 'resources', kind) ?? {}
        if (names.some(name => left[name] === undefined))
          problems.push(forbidden(`spec.${list}[${index}].resources.${kind}`, `resource ${kind} cannot be removed`))
      }
      if (isSame(fixedPart(container), fixedPart(was))) continue
      if (list === 'containers') problems.push(forbidden('spec', 'only cpu and memory resources are mutable'))
      else {
        const message = 'only cpu and memory resources for init or sidecar containers are mutable'
        problems.push(forbidden(`spec.${list}[${index}]`, message))
      }
    }
  }
  return problems
}

function orderProblems(list: string, now: readonly Draft[], before: readonly Draft[]): readonly FieldError[] {
  if (now.length !== before.length) return [forbidden(`spec.${list}`, `${list} may not be added or removed on resize`)]
  return before.flatMap((container, index) =>
    now[index]?.['name'] === container['name']
      ? []
      : [forbidden(`spec.${list}[${index}].name`, `${list} may not be renamed or reordered on resize`)],
  )
}

/** The part of a container that a resize does not touch. */
function fixedPart(container: Draft): Draft {
  const fixed = (kind: string) =>
    Object.entries(fieldsAt(container, 'resources', kind) ?? {}).filter(([name]) => !resizable.has(name))
  const claims = valueAt(container, 'resources', 'claims')
  return { ...container, resizePolicy: undefined, resources: { requests: fixed('requests'), limits: fixed('limits'), claims } }
}
