// The values of our pods on nodes: `agent` for those that call the API. Capabilities with pods of their own there have blocks of their own.
import * as z from 'zod'
import { standardAgentNamespace } from '#coordination/capability.ts'

const mapping = () => z.record(z.string(), z.unknown())
const texts = () => z.record(z.string(), z.string())
const items = () => z.array(mapping())

/** What is said of every such pod; `account` ends the name of its ServiceAccount. */
export const podFields = (account: string) => ({
  nodeSelector: texts().default({ 'kubernetes.io/os': 'linux' }),
  affinity: mapping().default({}),
  priorityClassName: z.string().default('system-node-critical'),
  podAnnotations: texts().default({}).describe('templates in them are filled in'),
  podLabels: texts().default({}),
  annotations: texts().default({}).describe('of the DaemonSet'),
  updateStrategy: mapping().default({ type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '10%' } }),
  revisionHistoryLimit: z.int().min(0).default(3),
  extraArgs: z.array(z.string()).default([]).describe('further flags of `ballast agent`'),
  extraEnv: items().default([]),
  extraVolumes: items().default([]),
  extraVolumeMounts: items().default([]),
  initContainers: items().default([]),
  serviceAccount: z
    .strictObject({
      create: z.boolean().default(true),
      name: z
        .string()
        .regex(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$/, 'not a name of lower-case letters, digits, "-" and "."')
        .default('')
        .describe(`empty: \`<fullname>-${account}\``),
      annotations: texts().default({}),
    })
    .prefault({}),
})

/** What containers on nodes may not, whatever their user. */
export const tightContainer = { allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } }

export const agentSchema = z
  .strictObject({
    namespace: z
      .string()
      .regex(/^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$/, 'not the name of a namespace')
      .default(standardAgentNamespace)
      .describe("of all pods on nodes: they mount paths of their nodes, which the controller's namespace does not admit"),
    ownNodeOnly: z
      .boolean()
      .default(true)
      .describe('agents may write their own node only, by a ValidatingAdmissionPolicy; needs Kubernetes 1.30'),
    createNamespace: z.boolean().default(true).describe('make that namespace, where it is not the one of the release'),
    resources: mapping()
      .default({ requests: { cpu: '10m', memory: '64Mi' }, limits: { memory: '128Mi' } })
      .describe('of each container; no CPU limit on purpose'),
    tolerations: items().default([{ operator: 'Exists' }]),
    podSecurityContext: mapping().default({ seccompProfile: { type: 'RuntimeDefault' } }),
    securityContext: mapping().default(tightContainer).describe('of the containers; their users are their own'),
    ...podFields('agent'),
    // The new pod serves before the old one ends, so that devices are never missing.
    updateStrategy: mapping().default({ type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: '10%' } }),
  })
  .prefault({})
  .describe('the DaemonSet of the parts that run on every node and call the API; there is none while none is enabled')
