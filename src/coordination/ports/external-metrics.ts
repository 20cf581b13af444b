// Values of external metrics, by whoever polls their sources: external.metrics.k8s.io is answered from it.
import { port } from '../capability.ts'

export interface ExternalMetricValue {
  readonly name: string
  /** A quantity, as the wire has it. */
  readonly quantity: string
  readonly atMs: number
}

export interface ExternalMetricSource {
  /** @throws Error why it cannot be told; `signal.reason` */
  values(
    of: { readonly namespace: string; readonly scaledObject: string; readonly metric: string },
    signal: AbortSignal,
  ): Promise<readonly ExternalMetricValue[]>
}

export const externalMetricsPort = port<ExternalMetricSource>('external-metrics')
