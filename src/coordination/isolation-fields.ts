// The isolation of a RebalancePolicy: what its user asks for, and what is said of it.
import * as z from 'zod'
import { defaultCoreNamespaces } from '#planning/goals/policy.ts'

const name = () => z.string().min(1).max(253)

/** `spec.isolation`. */
export const isolationFields = z.object({
  enabled: z.boolean().default(false),
  nodes: z
    .string()
    .max(1024)
    .default('node-role.kubernetes.io/control-plane')
    .describe('label selector of the nodes that are kept for the core'),
  taint: z.string().min(1).max(317).default('node-role.kubernetes.io/control-plane').describe('key of their NoSchedule taint'),
  taintMode: z
    .enum(['external', 'kubernetes'])
    .default('external')
    .describe('external: somebody else sets the taint (Talos), it is waited for; kubernetes: set through the API'),
  coreNamespaces: z
    .array(name())
    .max(64)
    .default([...defaultCoreNamespaces])
    .describe('their pods stay on the isolated nodes'),
  tolerations: z
    .enum(['report', 'apply', 'webhook'])
    .default('report')
    .describe(
      'report: patches are printed and waited for; apply: written to core workloads one by one; webhook: added to pods of coreNamespaces while they are created',
    ),
  keda: z.enum(['waitForZero', 'evict']).default('waitForZero'),
  includeUnmanaged: z.boolean().default(true),
  exceptions: z
    .array(z.string().min(1).max(571))
    .max(256)
    .default([])
    .describe('namespace/name of pods or workloads, or namespace/Kind/name, that may stay'),
})

const isolationStages = ['Preflight', 'Tolerations', 'Taint', 'Waves', 'Verify'] as const
const isolationPhases = ['Reported', 'Blocked', 'Waiting', 'Running', 'Paused', 'Watching', 'Verified', 'Aborted'] as const

const isolationRow = z.object({
  subject: z.string().max(600).describe('a pod, workload or node: `Deployment argocd/argocd`'),
  reason: z.string().max(300),
  message: z.string().max(1024),
  remedy: z.string().max(4096).exactOptional().describe('what would help; for a toleration the patch'),
})

/** Where an isolation stands; `condition` is the schema of a condition. */
export const isolationStatusOf = <Condition extends z.ZodType>(condition: Condition) =>
  z.object({
    stage: z.enum(isolationStages),
    phase: z.enum(isolationPhases),
    message: z.string().max(4096),
    nodes: z.array(name()).max(256),
    plan: name().exactOptional(),
    blocked: z.array(isolationRow).max(256).exactOptional().describe('what keeps the stage from being over'),
    warnings: z.array(isolationRow).max(256).exactOptional(),
    undo: z.array(z.string().max(1024)).max(256).describe('commands that take everything back'),
    conditions: z.array(condition).max(16).exactOptional(),
  })
