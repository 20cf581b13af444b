// Scheduling gates of replacement pods: set while a pod is created (by the admission answer), opened towards a node, or dropped.
// The only writer of gates and of the node affinity of pods.

import type { NodeSelectorTerm, Pod } from '#kube/objects/objects.ts'
import { builtIn } from '#kube/objects/resource.ts'
import { isConflict, isInvalid, isNotFound } from '#kube/objects/status.ts'
import type { MutatingAnswer } from '#kube/server/admission.ts'
import type { Permission } from '../needs.ts'
import type { Permit } from '../permits/permit.ts'
import { type EffectContext, effectOptions, leadingGuard } from './effect-context.ts'

/** The right this effect takes. */
export const gatePermission: Permission = {
  groups: [''],
  resources: ['pods'],
  verbs: ['patch'],
  because: 'opens the landing gate of a replacement',
}

/** Holds a replacement back until its node is chosen. */
export const landingGate = 'ballast.dev/landing'

type GateOutcome =
  | { readonly kind: 'opened'; readonly pod: Pod }
  | { readonly kind: 'not-gated' }
  | { readonly kind: 'gone' }
  | { readonly kind: 'refused'; readonly message: string }

type Operation = { readonly op: 'add' | 'replace' | 'remove' | 'test'; readonly path: string; readonly value?: unknown }

/** The admission answer that gates a pod being created. Asked again about the same pod it changes nothing. */
export function gateAtCreation(pod: Pod): MutatingAnswer {
  const gates = pod.spec.schedulingGates ?? []
  if (pod.spec.nodeName !== undefined && pod.spec.nodeName !== '') return { kind: 'allowed' }
  if (gates.some(gate => gate.name === landingGate)) return { kind: 'allowed' }
  return { kind: 'patched', patch: [{ op: 'add', path: '/spec/schedulingGates', value: [...gates, { name: landingGate }] }] }
}

/**
 * Opens the gate of `pod` towards `node`: required node affinity by name, and the gate taken away, in one patch.
 * Refused where the pod has an empty required term (the server would not let it change) or a `metadata.name` term of its own.
 * @throws what the leadership throws when we lead no more, and what the server did not foresee.
 */
export async function openGate(
  context: EffectContext,
  permit: Permit,
  landing: { readonly pod: Pod; readonly node: string },
  signal: AbortSignal,
): Promise<GateOutcome> {
  const guard = leadingGuard(context)
  const { pod, node } = landing
  const terms = termsTowards(pod, node)
  if (terms === undefined) return { kind: 'refused', message: 'its own node affinity leaves no room for ours' }
  const nodeAffinity = {
    ...pod.spec.affinity?.nodeAffinity,
    requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: terms },
  }
  const steer: Operation = { op: 'add', path: '/spec/affinity', value: { ...pod.spec.affinity, nodeAffinity } }
  return changeGate(context, { pod, requester: permit.record.requester, operations: [steer] }, { guard, signal })
}

/** Takes our gate away and nothing else: what was held is never stranded. Safe to call twice. */
export async function dropGate(
  context: EffectContext,
  choice: { readonly pod: Pod; readonly requester: string },
  signal: AbortSignal,
): Promise<GateOutcome> {
  const guard = leadingGuard(context)
  return changeGate(context, { ...choice, operations: [] }, { guard, signal })
}

function termsTowards(pod: Pod, node: string): readonly NodeSelectorTerm[] | undefined {
  const ours = { key: 'metadata.name', operator: 'In', values: [node] }
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms
  if (terms === undefined || terms.length === 0) return [{ matchFields: [ours] }]
  const isOpen = (term: NodeSelectorTerm) => (term.matchExpressions?.length ?? 0) > 0 && (term.matchFields?.length ?? 0) === 0
  return terms.every(isOpen) ? terms.map(term => ({ ...term, matchFields: [ours] })) : undefined
}

async function changeGate(
  context: EffectContext,
  change: { readonly pod: Pod; readonly requester: string; readonly operations: readonly Operation[] },
  how: Parameters<typeof effectOptions>[2],
): Promise<GateOutcome> {
  const { metadata, spec } = change.pod
  const gates = spec.schedulingGates ?? []
  const rest = gates.filter(gate => gate.name !== landingGate)
  if (rest.length === gates.length) return { kind: 'not-gated' }
  const open: Operation =
    rest.length === 0
      ? { op: 'remove', path: '/spec/schedulingGates' }
      : { op: 'replace', path: '/spec/schedulingGates', value: rest }
  const body: Operation[] = [
    { op: 'test', path: '/metadata/uid', value: metadata.uid },
    { op: 'test', path: '/spec/schedulingGates', value: gates },
    ...change.operations,
    open,
  ]
  try {
    const options = effectOptions(change.requester, metadata.namespace, how)
    return {
      kind: 'opened',
      pod: await context.api.resource<Pod>(builtIn.pods).patch(metadata.name, { type: 'json', body }, options),
    }
  } catch (error) {
    if (isNotFound(error)) return { kind: 'gone' }
    if (isConflict(error) || isInvalid(error)) return { kind: 'refused', message: error.message }
    throw error
  }
}
