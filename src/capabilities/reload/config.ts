// The section `capabilities.reload` of the configuration: upstream's flags in camelCase and what Ballast adds. Every bad value is refused
// with its path, what was found and what was expected.

import * as z from 'zod'
import { arbitrationModes } from '#coordination/policy/arbiter-policy.ts'
import { durationBetween } from '#kube/schema/crd-fields.ts'
import { privateAddress } from '#kube/schema/schema-problems.ts'
import { durationOr0 } from '#kube/time/duration.ts'
import { defaultAnnotationKeys } from './annotations.ts'
import { parseScopeSelector } from './sources/scope-selector.ts'

const mostListed = 1_000
const longestText = 4_096
const longestMs = 366 * 86_400_000

/** A label's or an annotation's key: an optional domain, a slash, a name. */
const qualifiedName = /^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?\/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/
const namespaceName = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/
const group = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/
const fieldPath = /^[A-Za-z][A-Za-z0-9]*(\.[A-Za-z][A-Za-z0-9]*)*$/

const span = (standard: string, leastMs = 0) => durationBetween(leastMs, longestMs).default(standard)

function annotationKey(standard: string, meaning: string) {
  return z.string().regex(qualifiedName, `not the key of an annotation such as "${standard}"`).default(standard).describe(meaning)
}

function webAddress(meaning: string) {
  const address = z
    .string()
    .max(longestText)
    .refine(text => text === '' || /^https?:$/.test(URL.parse(text)?.protocol ?? ''), 'not an http or https URL, or nothing')
  return privateAddress(address).default('').describe(meaning)
}

function selectorText(meaning: string) {
  return z
    .string()
    .max(65_536)
    .refine(text => parseScopeSelector(text).ok, { error: ({ input }) => notSelector(input) })
    .default('')
    .describe(meaning)
}

function notSelector(input: unknown): string {
  const parsed = parseScopeSelector(String(input))
  return parsed.ok ? '' : `not ${parsed.problem.expected}`
}

const namespaces = (meaning: string) =>
  z.array(z.string().regex(namespaceName, 'not the name of a namespace')).max(mostListed).default([]).describe(meaning)

/** Any case, as upstream reads it. */
const ignoredResource = z
  .string()
  .transform(text => text.toLowerCase())
  .pipe(z.enum(['configmaps', 'secrets'], 'not "configmaps" or "secrets"'))

const ignorableWorkloads: readonly string[] = ['jobs', 'cronjobs']

const annotationsSchema = z
  .strictObject({
    auto: annotationKey(defaultAnnotationKeys.auto, 'reload on a change of anything that is referred to'),
    configmapAuto: annotationKey(defaultAnnotationKeys.configmapAuto, 'the same, ConfigMaps only'),
    secretAuto: annotationKey(defaultAnnotationKeys.secretAuto, 'the same, Secrets only'),
    configmap: annotationKey(defaultAnnotationKeys.configmap, 'patterns of names of ConfigMaps'),
    secret: annotationKey(defaultAnnotationKeys.secret, 'patterns of names of Secrets'),
    search: annotationKey(defaultAnnotationKeys.search, 'reload on what is referred to and carries the key `match`'),
    match: annotationKey(defaultAnnotationKeys.match, 'on a ConfigMap or Secret: workloads with the key `search` take it'),
    ignore: annotationKey(defaultAnnotationKeys.ignore, 'on a ConfigMap or Secret: it never reloads anything'),
    pausePeriod: annotationKey(defaultAnnotationKeys.pausePeriod, 'how long a Deployment is paused after its first change'),
    pauseTime: annotationKey(defaultAnnotationKeys.pauseTime, 'written by the controller: when it paused the Deployment'),
  })
  .prefault({})
  .describe('other keys for the annotations, as upstream renames them')

const alertsSchema = z
  .strictObject({
    enabled: z.boolean().default(false).describe('tell a chat of each reload that succeeded'),
    sink: z.enum(['', 'slack', 'teams', 'gchat', 'webhook']).default('').describe('whose format; empty: plain text'),
    webhookUrl: webAddress('where alerts are sent'),
    proxy: webAddress('proxy on the way there'),
    additionalInfo: z
      .string()
      .max(longestText)
      .default('')
      .describe('text before each alert and a colon; a blank: the colon alone, as upstream of an empty variable'),
  })
  .prefault({})
  .describe('alerts to a chat')

const rateGuardSchema = z
  .strictObject({
    enabled: z.boolean().default(true).describe('hold a workload back whose objects change over and over'),
    minimum: span('10s', 1).describe('least time between two roll-outs of one workload'),
    maximum: span('30m', 1).describe('longest time between them, after doubling'),
  })
  .refine(({ minimum, maximum }) => durationOr0(minimum) <= durationOr0(maximum), {
    path: ['maximum'],
    error: 'not at least rateGuard.minimum',
  })
  .prefault({})
  .describe('guard against storms of roll-outs')

const compatSchema = z
  .strictObject({
    jobs: z
      .enum(['ours', 'upstream'])
      .default('ours')
      .describe('`upstream`: finished, suspended and owned Jobs are run again too'),
    lenient: z.boolean().default(false).describe('a bad entry in ignoredWorkloadTypes voids the list instead of being refused'),
    podTemplateExclude: z.boolean().default(false).describe('exclude annotations count on the pod template too'),
    wave: z
      .boolean()
      .refine(isOn => !isOn, 'not false (wave mode is not built)')
      .default(false)
      .describe('reserved: hashes as Wave writes them'),
  })
  .prefault({})
  .describe('where to follow upstream to the letter')

const customKindSchema = z
  .strictObject({
    group: z.string().regex(group, 'not the name of an API group'),
    version: z.string().regex(/^v[0-9]+((alpha|beta)[0-9]+)?$/, 'not a version such as "v1"'),
    kind: z.string().regex(/^[A-Z][A-Za-z0-9]{0,62}$/, 'not a kind such as "Service"'),
    resource: z.string().regex(/^[a-z][-a-z0-9]{0,62}$/, 'not a plural name such as "services"'),
    podTemplatePath: z.string().max(256).regex(fieldPath, 'not a path such as "spec.template"').default('spec.template'),
    reloadBy: z
      .string()
      .regex(/^(template|eviction)$/, 'not "template" or "eviction"')
      .default('template')
      .describe('change the pod template, or evict the pods'),
  })
  .describe('a kind of somebody else that has a pod template')

/** The section's schema. Accepts `{}`: upstream's defaults, and ours where upstream has none. */
export const reloadConfiguration = z
  .object({
    arbitration: z.enum(arbitrationModes).default('observe').describe('which rules of the arbiter hold for reloads'),
    autoReloadAll: z.boolean().default(false).describe('treat every workload as `auto` unless it says otherwise'),
    reloadStrategy: z
      .enum(['env-vars', 'annotations'])
      .default('env-vars')
      .describe('what is written into the pod template: an environment variable or an annotation'),
    reloadOnCreate: z.boolean().default(false).describe('a ConfigMap or Secret that is created reloads'),
    reloadOnDelete: z.boolean().default(false).describe('one that is deleted reloads'),
    syncAfterRestart: z
      .boolean()
      .default(false)
      .describe('with reloadOnCreate: what was never recorded counts as created at start'),
    argoRollouts: z.boolean().default(false).describe('reload Argo Rollouts too'),
    csiIntegration: z.boolean().default(false).describe('reload on rotation of what the Secrets Store CSI driver mounts'),
    resourcesToIgnore: z
      .array(ignoredResource)
      .max(1, 'not one of "configmaps" and "secrets" at most')
      .default([])
      .describe('do not watch ConfigMaps, or do not watch Secrets'),
    ignoredWorkloadTypes: z
      .array(z.string().max(63))
      .max(mostListed)
      .default([])
      .describe('`jobs`, `cronjobs`: never reload these'),
    namespaces: namespaces('watch exactly these; empty: all'),
    namespacesToIgnore: namespaces('leave these out while watching all'),
    namespaceSelector: selectorText('label selector of namespaces, while watching all'),
    resourceLabelSelector: selectorText('label selector of ConfigMaps, Secrets and SecretProviderClassPodStatuses'),
    webhookUrl: webAddress('send a POST there instead of reloading'),
    annotations: annotationsSchema,
    alerts: alertsSchema,
    metricsByNamespace: z.boolean().default(false).describe('a counter of reloads by namespace'),
    debounce: span('2s').describe('how long a change waits for further ones; 0s: as upstream'),
    maxWait: span('30s').describe('how long it waits at most while further ones keep coming'),
    rateGuard: rateGuardSchema,
    reloadsPerSecond: z.number().min(0.01).max(10_000).default(100).describe('roll-outs of all workloads in a second'),
    reloadBurst: z.int().min(1).max(100_000).default(500).describe('how many may start at once'),
    compat: compatSchema,
    customKinds: z.array(customKindSchema).max(64).default([]).describe('further kinds that have a pod template'),
    rotationWindow: span('2m').describe(
      'while pods report different versions of a rotated secret, the greatest counts for so long',
    ),
  })
  .superRefine((given, context) => {
    if (given.compat.lenient) return
    for (const [index, type] of given.ignoredWorkloadTypes.entries()) {
      if (ignorableWorkloads.includes(type)) continue
      const mistake = { path: ['ignoredWorkloadTypes', index], message: 'not "jobs" or "cronjobs"' }
      context.addIssue({ code: 'custom', ...mistake })
    }
  })

export type ReloadConfig = z.output<typeof reloadConfiguration>

/** The workload types that are never reloaded; one bad entry voids the list, as it does upstream (`compat.lenient`). */
export function ignoredTypesOf({ ignoredWorkloadTypes }: Pick<ReloadConfig, 'ignoredWorkloadTypes'>): readonly string[] {
  return ignoredWorkloadTypes.every(type => ignorableWorkloads.includes(type)) ? ignoredWorkloadTypes : []
}
