// InterceptorRoute as the HTTP add-on serves it: 0.15, and what 0.16 documents beside it.
import { z } from 'zod'
import { crd } from '#kube/schema/crd.ts'
import { duration } from '#kube/schema/crd-fields.ts'
import { httpGroup, interceptorRoutes } from '../names.ts'

const portRule = {
  cel: { rule: 'has(self.port) != has(self.portName)', message: "exactly one of 'port' or 'portName' must be set" },
}
const port = z.int().min(1).max(65_535).optional()
const portName = z.string().min(1).optional()
const mostBodyBytes = 32_768

const rule = z.object({
  hosts: z.array(z.string()).optional().meta({ listType: 'set' }),
  paths: z
    .array(z.object({ value: z.string().min(1) }))
    .optional()
    .meta({ listType: 'atomic' }),
  headers: z
    .array(z.object({ name: z.string().min(1), value: z.string().optional() }))
    .optional()
    .meta({ listType: 'map', keys: ['name'] }),
})
const rules = z.array(rule).optional().meta({ listType: 'atomic' })

const serviceRef = z.object({ name: z.string().min(1), port, portName }).meta(portRule)

const staticResponse = (status: number) =>
  z
    .object({
      statusCode: z.int().min(100).max(599).default(status),
      body: z.string().max(mostBodyBytes).optional(),
      bodyFromConfigMap: z.object({ name: z.string().min(1), key: z.string().optional() }).optional(),
      headers: z.record(z.string(), z.string()).optional(),
    })
    .meta({
      cel: {
        rule: '!(has(self.body) && has(self.bodyFromConfigMap))',
        message: "at most one of 'body' or 'bodyFromConfigMap' may be set",
      },
    })

const coldStart = z
  .object({
    fallback: z.object({ service: serviceRef }).optional(),
    placeholder: z.object({ response: staticResponse(503) }).optional(),
    maxPendingRequests: z.int().min(1).optional(),
    overflow: z.enum(['Reject', 'Placeholder']).optional(),
  })
  .meta({
    cel: {
      rule: 'has(self.fallback) || has(self.placeholder) || has(self.maxPendingRequests)',
      message: "at least one of 'fallback', 'placeholder' or 'maxPendingRequests' must be set",
    },
  })

const spec = z.object({
  target: z.object({ service: z.string().min(1), port, portName }).meta(portRule),
  coldStart: coldStart.optional(),
  timeouts: z
    .object({ readiness: duration().optional(), request: duration().optional(), responseHeader: duration().optional() })
    .optional(),
  rules,
  scalingMetric: z
    .object({
      concurrency: z.object({ targetValue: z.int().min(1) }).optional(),
      requestRate: z
        .object({ targetValue: z.int().min(1), window: duration().default('1m'), granularity: duration().default('1s') })
        .optional(),
    })
    .meta({
      cel: {
        rule: 'has(self.concurrency) || has(self.requestRate)',
        message: "at least one of 'concurrency' or 'requestRate' must be set",
      },
    }),
  staticRoutes: z
    .array(
      z.object({
        rules,
        response: staticResponse(200),
        responseMode: z.enum(['WhenUnavailable', 'Always']).default('WhenUnavailable'),
      }),
    )
    .optional(),
})

const condition = z.object({
  type: z.string(),
  status: z.enum(['True', 'False', 'Unknown']),
  reason: z.string(),
  message: z.string(),
  lastTransitionTime: z.string(),
  observedGeneration: z.int().min(0).optional(),
})

export const conditions = z
  .array(condition)
  .optional()
  .meta({ listType: 'map', keys: ['type'] })

const status = z.object({ conditions })

export const interceptorRouteSpec = spec

export const interceptorRouteDefinition = crd({
  group: httpGroup,
  kind: 'InterceptorRoute',
  scope: 'Namespaced',
  isBounded: false,
  versions: [
    {
      name: interceptorRoutes.version,
      spec,
      status,
      printerColumns: [{ name: 'TargetService', type: 'string', jsonPath: '.spec.target.service' }],
    },
  ],
})
