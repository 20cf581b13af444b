// The values of the descheduler: a process of its own with upstream's policy, flags and port, as a CronJob or as a Deployment.
import * as z from 'zod'
import { descheduleConfiguration } from '../compat/run/coordination-settings.ts'

const mapping = () => z.record(z.string(), z.unknown())
const texts = () => z.record(z.string(), z.string())
const items = () => z.array(mapping())
const goDuration = () => z.string().regex(/^([0-9]+(\.[0-9]+)?(ns|us|µs|ms|s|m|h))+$/, 'not a duration such as "5m" or "1h30m"')
const objectName = () =>
  z.string().regex(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$/, 'not a name of lower-case letters, digits, "-" and "."')
const count = () => z.int().min(0)

/** Where it serves metrics and health, as upstream does. */
export const deschedulerPort = 10_258

/** The policy of upstream's chart from 0.34 on. */
export const standardPolicy = {
  apiVersion: 'descheduler/v1alpha2',
  kind: 'DeschedulerPolicy',
  profiles: [
    {
      name: 'default',
      pluginConfig: [
        {
          name: 'DefaultEvictor',
          args: { podProtections: { defaultDisabled: ['PodsWithLocalStorage'], extraEnabled: ['PodsWithPVC'] } },
        },
        { name: 'RemoveDuplicates' },
        { name: 'RemovePodsHavingTooManyRestarts', args: { podRestartThreshold: 100, includingInitContainers: true } },
        {
          name: 'RemovePodsViolatingNodeAffinity',
          args: { nodeAffinityType: ['requiredDuringSchedulingIgnoredDuringExecution'] },
        },
        { name: 'RemovePodsViolatingNodeTaints' },
        { name: 'RemovePodsViolatingInterPodAntiAffinity' },
        { name: 'RemovePodsViolatingTopologySpreadConstraint' },
        {
          name: 'LowNodeUtilization',
          args: { thresholds: { cpu: 20, memory: 20, pods: 20 }, targetThresholds: { cpu: 50, memory: 50, pods: 50 } },
        },
      ],
      plugins: {
        balance: { enabled: ['RemoveDuplicates', 'RemovePodsViolatingTopologySpreadConstraint', 'LowNodeUtilization'] },
        deschedule: {
          enabled: [
            'RemovePodsHavingTooManyRestarts',
            'RemovePodsViolatingNodeTaints',
            'RemovePodsViolatingNodeAffinity',
            'RemovePodsViolatingInterPodAntiAffinity',
          ],
        },
      },
    },
  ],
} as const

const leaderElection = z
  .strictObject({
    enabled: z.boolean().default(false).describe('needed for more than one replica'),
    leaseDuration: goDuration().optional().describe('137s where nothing is said'),
    renewDeadline: goDuration().optional().describe('107s where nothing is said'),
    retryPeriod: goDuration().optional().describe('26s where nothing is said'),
    resourceName: objectName().min(1).default('descheduler'),
    resourceNamespace: objectName().min(1).default('kube-system'),
  })
  .prefault({})
  .describe("of a Deployment; the Lease is upstream's, so that the two never act at once")

const cronFields = {
  schedule: z.string().min(1).default('*/2 * * * *').describe('of a CronJob'),
  timeZone: z.string().optional().describe('of the schedule: Europe/Berlin'),
  suspend: z.boolean().default(false),
  startingDeadlineSeconds: count().optional(),
  successfulJobsHistoryLimit: count().optional(),
  failedJobsHistoryLimit: count().optional(),
  ttlSecondsAfterFinished: count().optional(),
  activeDeadlineSeconds: z.int().min(1).optional().describe('shorter than the time between two runs'),
  cronJobLabels: texts().default({}),
  jobAnnotations: texts().default({}),
  jobLabels: texts().default({}),
}

/** What Helm refuses, too: two that evict need a Lease to agree by. */
const electedReplicas = {
  if: {
    properties: { kind: { const: 'Deployment' }, replicas: { type: 'integer', minimum: 2 } },
    required: ['kind', 'replicas'],
    additionalProperties: true,
  },
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  then: {
    properties: {
      leaderElection: { properties: { enabled: { const: true } }, required: ['enabled'], additionalProperties: true },
    },
    required: ['leaderElection'],
    additionalProperties: true,
  },
}

export const deschedulerSchema = z
  .strictObject({
    enabled: z.boolean().default(false),
    kind: z.enum(['CronJob', 'Deployment']).default('CronJob').describe('a run at each time of the schedule, or one that stays'),
    policy: mapping().default(standardPolicy).describe('a DeschedulerPolicy; templates in it are filled in'),
    tokenSecrets: z
      .array(z.strictObject({ namespace: objectName().min(1), name: objectName().min(1) }))
      .default([])
      .describe('Secrets that the policy names for Prometheus: it may read these'),
    dryRun: z.boolean().default(false).describe('evicts nothing, and has no right to'),
    verbosity: count().default(3).describe('--v; from 4 on every reason why a pod stays is said'),
    extraArgs: z.array(z.string()).default([]).describe('further flags of `ballast descheduler`'),
    arbitration: descheduleConfiguration.shape.arbitration,
    coordination: descheduleConfiguration.shape.coordination.describe('with who else moves and scales: see docs/rebalancing.md'),
    ...cronFields,
    interval: goDuration().default('5m').describe('of a Deployment: from the begin of a cycle to the next'),
    replicas: z.int().min(0).max(10).default(1).describe('of a Deployment'),
    leaderElection,
    updateStrategy: mapping()
      .default({})
      .describe('of a Deployment; empty: the old pod ends before the new one begins, unless they elect a leader'),
    revisionHistoryLimit: count().default(3),
    resources: mapping()
      .default({ requests: { cpu: '100m', memory: '192Mi' }, limits: { memory: '512Mi' } })
      .describe('no CPU limit on purpose; see the figures in docs/rebalancing.md'),
    nodeSelector: texts().default({ 'kubernetes.io/os': 'linux' }),
    tolerations: items().default([]),
    affinity: mapping().default({}),
    topologySpreadConstraints: items().default([]),
    priorityClassName: z.string().default('system-cluster-critical'),
    annotations: texts().default({}).describe('of the CronJob or Deployment'),
    podAnnotations: texts().default({}).describe('templates in them are filled in'),
    podLabels: texts().default({}),
    podSecurityContext: mapping().default({
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: 65532,
      fsGroup: 65532,
      seccompProfile: { type: 'RuntimeDefault' },
    }),
    securityContext: mapping().default({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    }),
    dnsConfig: mapping().default({}),
    livenessProbe: mapping().default({
      httpGet: { path: '/healthz', port: deschedulerPort, scheme: 'HTTPS' },
      initialDelaySeconds: 5,
      periodSeconds: 20,
      failureThreshold: 3,
      timeoutSeconds: 5,
    }),
    extraEnv: items().default([]),
    extraVolumes: items().default([]),
    extraVolumeMounts: items().default([]),
    initContainers: items().default([]),
    podDisruptionBudget: z
      .strictObject({
        enabled: z.boolean().default(false),
        minAvailable: z.union([z.int(), z.string()]).optional().describe('in place of maxUnavailable'),
        maxUnavailable: z.union([z.int(), z.string()]).default(1),
        unhealthyPodEvictionPolicy: z.enum(['AlwaysAllow', 'IfHealthyBudget']).default('AlwaysAllow'),
        annotations: texts().default({}),
      })
      .prefault({})
      .describe('of a Deployment with more than one replica'),
    service: z
      .strictObject({
        enabled: z.boolean().default(false).describe('also without metrics.serviceMonitor.enabled'),
        ipFamilyPolicy: z.enum(['', 'SingleStack', 'PreferDualStack', 'RequireDualStack']).default(''),
        ipFamilies: z.array(z.enum(['IPv4', 'IPv6'])).default([]),
      })
      .prefault({})
      .describe('headless, of a Deployment: port http-metrics'),
    serviceMonitor: z
      .strictObject({
        insecureSkipVerify: z.boolean().default(true).describe('its certificate is of its own making unless extraArgs name one'),
        serverName: z.string().default(''),
        honorLabels: z.boolean().default(true),
      })
      .prefault({})
      .describe('what else metrics.serviceMonitor and podMonitor say of it'),
    serviceAccount: z
      .strictObject({
        create: z.boolean().default(true),
        name: objectName().default('').describe('empty: `<fullname>-descheduler`'),
        annotations: texts().default({}),
      })
      .prefault({}),
  })
  .refine(({ kind, replicas, leaderElection: { enabled } }) => kind !== 'Deployment' || replicas < 2 || enabled, {
    path: ['leaderElection', 'enabled'],
    message: 'more than one replica needs leader election',
  })
  .prefault({})
  .meta(electedReplicas)
  .describe("upstream's descheduler by Ballast, apart from capabilities.deschedule: see docs/rebalancing.md")
