// external.metrics.k8s.io: what HorizontalPodAutoscalers ask of ScaledObjects. Nobody can list its names; each is read when it is asked for.
import * as z from 'zod'
import type { ExternalMetricSource } from '#coordination/ports/external-metrics.ts'
import { messageOf } from '#kube/log.ts'
import type { KubeObject } from '#kube/objects/objects.ts'
import { badRequest, StatusError, statusBody } from '#kube/objects/status.ts'
import { structuralSchemaOf } from '#kube/schema/crd.ts'
import { type AggregatedApi, aggregatedApi } from '#kube/server/aggregated-api.ts'
import { formatTime } from '#kube/time/time.ts'
import { externalMetrics } from '../names.ts'
import { ownerLabel } from '../triggers/metric-names.ts'

const schema = {
  ...structuralSchemaOf(
    z.object({
      metricName: z.string(),
      metricLabels: z.record(z.string(), z.string()).optional(),
      timestamp: z.string(),
      window: z.int().optional(),
      value: z.string(),
    }),
    'ExternalMetricValue',
  ),
}

/** @throws StatusError where the selector does not say whose metric is meant */
function scaledObjectOf(
  requirements: readonly { readonly key: string; readonly operator: string; readonly values?: readonly string[] }[],
): string {
  const one = requirements.find(({ key }) => key === ownerLabel)
  const name = one?.values?.[0]
  if (name === undefined || one?.values?.length !== 1)
    throw badRequest(
      `scaledObject name is not specified, it needs to be set as value of label selector ${JSON.stringify(ownerLabel)} in the query`,
    )
  return name
}

/** The API over `source`, which is asked for every value. */
export function externalMetricsApi(source: () => ExternalMetricSource): AggregatedApi {
  return aggregatedApi({
    ...externalMetrics,
    resources: [],
    anyOther: {
      name: 'externalmetrics',
      kind: 'ExternalMetricValue',
      namespaced: true,
      schema,
      async list({ namespace = '', resource, labelSelector, signal }) {
        const scaledObject = scaledObjectOf(labelSelector.requirements)
        try {
          const values = await source().values({ namespace, scaledObject, metric: resource }, signal)
          return values.map(({ name, quantity, atMs }): KubeObject => {
            const apiVersion = `${externalMetrics.group}/${externalMetrics.version}`
            // Values have no names of their own on this wire.
            const value = { metricName: name, metricLabels: null, timestamp: formatTime(atMs), value: quantity }
            return { apiVersion, kind: 'ExternalMetricValue', metadata: { name: '' }, ...value }
          })
        } catch (error) {
          signal.throwIfAborted()
          if (error instanceof StatusError) throw error
          throw new StatusError(statusBody(500, `error when getting metric values ${messageOf(error)}`, 'InternalError'))
        }
      },
    },
  })
}
