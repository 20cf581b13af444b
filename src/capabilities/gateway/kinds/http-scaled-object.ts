// HTTPScaledObject as the HTTP add-on serves it: older than InterceptorRoute, and in wide use.
import { z } from 'zod'
import type { KubeObject } from '#kube/objects/objects.ts'
import { crd } from '#kube/schema/crd.ts'
import { duration } from '#kube/schema/crd-fields.ts'
import { httpGroup, httpScaledObjects } from '../names.ts'
import { conditions } from './interceptor-route.ts'

const portRule = {
  cel: { rule: 'has(self.portName) != has(self.port)', message: "must define either the 'portName' or the 'port'" },
}
const port = z.int().optional()
const portName = z.string().optional()

const spec = z.object({
  hosts: z.array(z.string()).optional(),
  pathPrefixes: z.array(z.string()).optional(),
  headers: z
    .array(z.object({ name: z.string().min(1), value: z.string().optional() }))
    .optional()
    .meta({ listType: 'map', keys: ['name'] }),
  scaleTargetRef: z
    .object({
      name: z.string().optional(),
      apiVersion: z.string().optional(),
      kind: z.string().optional(),
      service: z.string(),
      port,
      portName,
    })
    .meta(portRule),
  coldStartTimeoutFailoverRef: z
    .object({ service: z.string(), port, portName, timeoutSeconds: z.int().default(30) })
    .meta(portRule)
    .optional(),
  replicas: z.object({ min: z.int().optional(), max: z.int().optional() }).optional(),
  targetPendingRequests: z.int().optional(),
  scaledownPeriod: z.int().optional(),
  initialCooldownPeriod: z.int().optional(),
  scalingMetric: z
    .object({
      concurrency: z.object({ targetValue: z.int().default(100) }).optional(),
      requestRate: z
        .object({ targetValue: z.int().default(100), window: duration().default('1m'), granularity: duration().default('1s') })
        .optional(),
    })
    .optional(),
  timeouts: z.object({ conditionWait: duration().optional(), responseHeader: duration().optional() }).optional(),
})

const status = z.object({ targetWorkload: z.string().optional(), targetService: z.string().optional(), conditions })

export interface HttpScaledObject extends KubeObject {
  readonly spec: z.output<typeof spec>
  readonly status?: z.output<typeof status>
}

export const httpScaledObjectSpec = spec

export const httpScaledObjectDefinition = crd({
  group: httpGroup,
  kind: 'HTTPScaledObject',
  scope: 'Namespaced',
  isBounded: false,
  shortNames: ['httpso'],
  versions: [
    {
      name: httpScaledObjects.version,
      spec,
      status,
      printerColumns: [
        { name: 'TargetWorkload', type: 'string', jsonPath: '.status.targetWorkload' },
        { name: 'TargetService', type: 'string', jsonPath: '.status.targetService' },
        { name: 'MinReplicas', type: 'integer', jsonPath: '.spec.replicas.min' },
        { name: 'MaxReplicas', type: 'integer', jsonPath: '.spec.replicas.max' },
      ],
    },
  ],
})
