// The faults that the page offers, as specs of a TwinFault. All end by the twin's own clock, or when they are healed.
import type { FaultSpec } from '#twin/faults/fault-spec.ts'
import type { ActionBody } from '../contract.ts'
import type { TwinFaultKind } from '../contract-names.ts'

type Fault = NonNullable<ActionBody['fault']>

const specs: Readonly<Record<TwinFaultKind, (fault: Fault) => Omit<FaultSpec, 'until'>>> = {
  'stop-node': ({ node = '' }) => ({ node: { names: [node], action: 'crash' } }),
  'slow-pulls': ({ node }) => ({ node: { ...(node === undefined ? {} : { names: [node] }), action: 'slowPull' } }),
  'server-errors': () => ({ status: { code: 500, message: 'a TwinFault of the page' } }),
  'metrics-silent': () => ({
    match: { group: 'metrics.k8s.io' },
    status: { code: 503, message: 'a TwinFault of the page: metrics are silent' },
  }),
}

export function isFaultKind(kind: string): kind is TwinFaultKind {
  return Object.hasOwn(specs, kind)
}

/** The spec of `fault`, for so many minutes of the twin or until it is healed. */
export function faultSpecOf(fault: Fault & { readonly kind: TwinFaultKind }): FaultSpec {
  return { ...(fault.minutes === undefined ? {} : { until: `${fault.minutes}m` }), ...specs[fault.kind](fault) }
}
