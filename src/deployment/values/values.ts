// The values of an installation: what the Helm chart takes, and `ballast manifests` as well. The blocks `process`, `arbiter` and
// `capabilities` are those of the configuration file, word for word.
import * as z from 'zod'
import { arbiterConfiguration } from '#coordination/arbiter/arbiter-configuration.ts'
import type { Capability } from '#coordination/capability.ts'
import { partsIn } from '#coordination/part-hosts.ts'
import { assertDistinct } from '#coordination/taken-names.ts'
import { dashboardSchema } from '#dashboard/configuration.ts'
import { capabilityCommon, processSchema } from '#kube/configuration.ts'
import { capabilitySchema } from '#process/configuration/controller-configuration.ts'
import { installedBy } from '../capability-objects.ts'
import { agentSchema } from './agent-values.ts'

const mapping = () => z.record(z.string(), z.unknown())
const texts = () => z.record(z.string(), z.string())
const items = () => z.array(mapping())
const objectName = () =>
  z.string().regex(/^([a-z0-9]([-a-z0-9.]*[a-z0-9])?)?$/, 'not a name of lower-case letters, digits, "-" and "."')
const label = () => z.string().regex(/^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$/, 'not the name of a namespace')
const imagePart = () => z.string().regex(/^[\w./:@-]*$/, 'not part of an image reference')
const goDuration = () => z.string().regex(/^[0-9]+(ms|s|m|h)$/, 'not a duration such as "30s"')
const pullSecrets = () => z.array(z.strictObject({ name: z.string() }))

const probe = (path: string, failureThreshold: number, periodSeconds: number) =>
  mapping().default({ httpGet: { path, port: 'health' }, periodSeconds, failureThreshold, timeoutSeconds: 5 })

const monitorFields = {
  enabled: z.boolean().default(false),
  namespace: z
    .string()
    .default('{{ .Release.Namespace }}')
    .describe('where the object goes; a template that may name the release'),
  interval: goDuration().default('60s'),
  scrapeTimeout: goDuration().default('30s'),
  labels: texts().default({}).describe('labels by which your Prometheus selects it; templates are filled in'),
  relabelings: items().default([]),
  metricRelabelings: items().default([]),
}

/** What is said of the pods of a process. */
const processFields = (command: string, account: string) => ({
  replicas: z.int().min(0).max(10).default(2).describe('one leads, the others are ready to take over'),
  resources: mapping()
    .default({ requests: { cpu: '50m', memory: '160Mi' }, limits: { memory: '512Mi' } })
    .describe('no CPU limit on purpose; above 1,000 nodes give it 1Gi'),
  nodeSelector: texts().default({ 'kubernetes.io/os': 'linux' }),
  tolerations: items().default([]),
  affinity: mapping().default({}).describe('in place of ours, which keeps pods apart by hostname and zone without insisting'),
  topologySpreadConstraints: items().default([]).describe('in place of ours, as `affinity`'),
  priorityClassName: z.string().default('system-cluster-critical'),
  podAnnotations: texts().default({}).describe('templates in them are filled in'),
  podLabels: texts().default({}),
  annotations: texts().default({}).describe('of the Deployment'),
  podSecurityContext: mapping()
    .default({
      runAsNonRoot: true,
      runAsUser: 65532,
      runAsGroup: 65532,
      fsGroup: 65532,
      seccompProfile: { type: 'RuntimeDefault' },
    })
    .describe('what the standard "restricted" asks for'),
  securityContext: mapping()
    .default({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } })
    .describe('of the container'),
  podDisruptionBudget: z
    .strictObject({
      enabled: z.boolean().default(true),
      minAvailable: z.union([z.int(), z.string()]).optional().describe('in place of maxUnavailable'),
      maxUnavailable: z.union([z.int(), z.string()]).default(1),
      unhealthyPodEvictionPolicy: z.enum(['AlwaysAllow', 'IfHealthyBudget']).default('AlwaysAllow'),
    })
    .prefault({}),
  livenessProbe: probe('/livez', 3, 10),
  readinessProbe: probe('/readyz', 3, 5),
  startupProbe: probe('/livez', 30, 1),
  extraArgs: z.array(z.string()).default([]).describe(`further flags of \`ballast ${command}\``),
  extraEnv: items().default([]),
  extraVolumes: items().default([]),
  extraVolumeMounts: items().default([]),
  initContainers: items().default([]),
  hostUsers: z.boolean().optional().describe('false: a user namespace of its own, where nodes can'),
  updateStrategy: mapping().default({ type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }),
  revisionHistoryLimit: z.int().min(0).default(3),
  serviceAccount: z
    .strictObject({
      create: z.boolean().default(true),
      name: objectName().default('').describe(`empty: \`<fullname>-${account}\``),
      annotations: texts().default({}),
    })
    .prefault({}),
})

const controllerSchema = z
  .strictObject(processFields('controller', 'controller'))
  .prefault({})
  .describe('the process that decides and acts')

const apiserverSchema = z
  .strictObject({
    enabled: z.boolean().default(false).describe('the process that faces the outside: it serves the page, and disrupts nothing'),
    ...processFields('apiserver', 'apiserver'),
    service: z
      .strictObject({
        annotations: texts().default({}),
        port: z.int().min(1).max(65_535).default(80),
      })
      .prefault({})
      .describe('of the page, where dashboard.auth.mode is not loopback; its endpoint is whoever leads'),
  })
  .prefault({})
  .describe(
    'a Deployment of its own, with a ServiceAccount that only reads unless dashboard.auth.mode is proxy: see docs/install.md',
  )

const gatewaySchema = z
  .strictObject(processFields('gateway', 'gateway'))
  .prefault({})
  .describe('the process in the way of requests; it runs where an enabled capability has a part there')

const rbacSchema = z
  .strictObject({
    create: z.boolean().default(true),
    aggregate: z.boolean().default(true).describe('let the roles view, edit and admin see, and change, the kinds of Ballast'),
    namespaced: z
      .array(label().min(1))
      .default([])
      .describe('watch and act in these namespaces only: Roles there instead of cluster-wide rights'),
  })
  .prefault({})
  .describe('rights; they follow from what is enabled')

const metricsSchema = z
  .strictObject({
    serviceMonitor: z.strictObject(monitorFields).prefault({}).describe('for the Prometheus operator'),
    podMonitor: z.strictObject(monitorFields).prefault({}).describe('for the Prometheus operator, without the Service'),
  })
  .prefault({})

/** The values' schema for these capabilities. Accepts `{}`: an installation with every default. */
export function valuesSchema(capabilities: readonly Capability[]) {
  const sections = capabilities.map(one => {
    const section = z.strictObject({ ...capabilityCommon, ...capabilitySchema(one).shape }).prefault({})
    return [one.name, one.document === undefined ? section : section.describe(`see docs/${one.document}`)] as const
  })
  const before = {
    nameOverride: objectName().default(''),
    fullnameOverride: objectName().default('').describe('how names of objects begin; empty: the release and "ballast"'),
    namespaceOverride: label().default('').describe('another namespace than that of the release'),
    namespace: z
      .strictObject({
        create: z.boolean().default(false).describe('make the namespace, too; with Helm rather use --create-namespace'),
      })
      .prefault({}),
    resourceQuota: z
      .strictObject({
        create: z.boolean().default(true).describe('admits pods of priority system-*-critical outside of kube-system'),
      })
      .prefault({}),
    commonLabels: texts().default({}).describe('labels of every object'),
    commonAnnotations: texts().default({}).describe('annotations of every object'),
    global: z
      .looseObject({ imageRegistry: imagePart().default(''), imagePullSecrets: pullSecrets().default([]) })
      .prefault({})
      .describe('shared with other charts'),
    image: z
      .strictObject({
        registry: imagePart().default('ghcr.io'),
        repository: imagePart().default('ballast-dev/ballast'),
        tag: imagePart().default('').describe('empty: the version of the chart'),
        digest: imagePart().default('').describe('wins over the tag: sha256:...'),
        pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).default('IfNotPresent'),
      })
      .prefault({}),
    imagePullSecrets: pullSecrets().default([]),
    controller: controllerSchema,
    apiserver: apiserverSchema,
    ...(capabilities.some(one => partsIn('gateway', one).length > 0) ? { gateway: gatewaySchema } : {}),
    agent: agentSchema,
  }
  const after = {
    process: processSchema.prefault({}).describe('what all processes have in common; a change of it starts the pods anew'),
    arbiter: arbiterConfiguration(capabilities.map(({ name }) => name))
      .prefault({})
      .describe('the door to every disruption: see docs/arbiter.md; a change takes effect without a restart'),
    dashboard: dashboardSchema
      .prefault({})
      .describe('the page of the cluster, which `apiserver` serves; a change of it starts those pods anew'),
    capabilities: z
      .strictObject(Object.fromEntries(sections))
      .prefault({})
      .describe('what Ballast does; changes take effect without a restart'),
    webhooks: z
      .strictObject({
        enabled: z
          .boolean()
          .default(true)
          .describe('hold the landings of moved pods; the configurations exist only while a plan runs'),
        clientCA: z
          .string()
          .max(65_536)
          .regex(/^$|^\s*-----BEGIN CERTIFICATE-----/, 'not a certificate in PEM')
          .default('')
          .describe(
            'PEM: only API servers that show a certificate of it get through the TLS handshake; empty: whoever reaches the port',
          ),
      })
      .prefault({}),
    crds: z
      .strictObject({
        install: z.boolean().default(true),
        keep: z.boolean().default(true).describe('leave the kinds, and their objects, when the release is uninstalled'),
        annotations: texts().default({}),
      })
      .prefault({}),
    rbac: rbacSchema,
    metrics: metricsSchema,
    prometheusRule: z
      .strictObject({
        enabled: z.boolean().default(false),
        labels: texts().default({}),
        disable: z.array(z.string()).default([]).describe('names of alerts to leave out'),
        runbooks: z
          .string()
          .default('https://github.com/ballast-dev/ballast/blob/main/docs/alerts.md')
          .describe('page with a heading for each alert, named by `runbook_url`; empty: none'),
      })
      .prefault({}),
    grafanaDashboard: z
      .strictObject({
        enabled: z.boolean().default(false),
        mode: z.enum(['Sidecar', 'GrafanaOperator']).default('Sidecar'),
        labels: texts().default({ grafana_dashboard: '1' }),
        annotations: texts().default({}),
      })
      .prefault({}),
    networkPolicy: z
      .strictObject({
        enabled: z.boolean().default(false),
        from: z
          .strictObject({
            webhooks: items().default([]).describe('to webhooks and APIs: your API servers'),
            metrics: items()
              .default([])
              .describe('to health and metrics: Prometheus, and nodes where the CNI does not let kubelets through'),
            page: items().default([]).describe('to an exposed page: your ingress'),
          })
          .prefault({})
          .describe(
            'who may reach a listener, as `from` of a NetworkPolicy; empty: everybody. `ballast doctor network` says what fits',
          ),
        extraEgress: items().default([]).describe('further ways out, for example to a webhook of alerts'),
      })
      .prefault({})
      .describe('in: health, metrics, webhooks and an exposed page; out: DNS and the API server'),
    uninstallHook: z
      .strictObject({
        enabled: z.boolean().default(true),
        keep: z
          .array(z.enum(['crds', 'labels', 'asleep']))
          .default(['crds'])
          .describe('what `ballast uninstall` is to leave'),
        timeoutSeconds: z.int().min(10).max(3_600).default(300),
      })
      .prefault({})
      .describe('before the release goes, a Job takes back what Ballast set on nodes and workloads'),
    extraObjects: items().default([]).describe('objects of your own; templates in them are filled in'),
  }
  const own = [...Object.keys(before), ...Object.keys(after)]
  const blocks = capabilities.flatMap(one =>
    installedBy([one]).flatMap(({ block }) => (block === undefined ? [] : [{ ...block, by: one.name }])),
  )
  assertFreeBlocks(own, blocks)
  return z.strictObject({
    ...before,
    ...(Object.fromEntries(blocks.map(({ name, values }) => [name, values])) as object),
    ...after,
  })
}

/** @throws Error where a block that a capability brings has the name of one of the chart's `own`, or of another capability's */
export function assertFreeBlocks(
  own: readonly string[],
  blocks: readonly { readonly name: string; readonly by: string }[],
): void {
  assertDistinct('block of the values', [...own.map(name => ({ name, by: 'the chart' })), ...blocks])
}
