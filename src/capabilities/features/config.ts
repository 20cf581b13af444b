// The section `capabilities.features` of the configuration: a worker's and a master's configuration, by the keys that they have upstream.

import * as z from 'zod'
import { arbitrationModes } from '#coordination/policy/arbiter-policy.ts'
import { durationBetween } from '#kube/schema/crd-fields.ts'
import { labelSelectorSchema } from '#kube/schema/label-selector.ts'
import { parsePattern } from '#kube/values/regex.ts'
import { workerConfigSchema } from './discovery/worker-config.ts'
import type { OutcomeSettings } from './rules/node-outcome.ts'
import { topologySchema } from './topology/topology-settings.ts'

const mostListed = 1_000
/** Nodes that are looked at at a time. */
export const mostParallel = 100
/** Upstream's, for the name of an instance. */
const instanceName = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/

const list = (meaning: string) => z.array(z.string()).max(mostListed).default([]).describe(meaning)

/** What a master does not take from NodeFeatures and rules, as nfd-master.conf has it, and nodeFeatureNamespaceSelector. */
export const restrictions = z
  .strictObject({
    nodeFeatureNamespaceSelector: labelSelectorSchema
      .optional()
      .describe('NodeFeatures count only in namespaces with these labels; without it in all'),
    disableLabels: z.boolean().default(false),
    disableExtendedResources: z.boolean().default(false),
    disableAnnotations: z.boolean().default(false),
    disableTaints: z.boolean().default(false),
    denyNodeFeatureLabels: z
      .boolean()
      .default(false)
      .describe("labels that NodeFeatures ask for count only in those of our own workers, where upstream's master takes any"),
    allowOverwrite: z
      .boolean()
      .default(true)
      .describe('a label, annotation or resource of ours that somebody changed is set again'),
  })
  .prefault({})

/** Nodes are all looked at at least, and at most, so often. */
export const resyncLimits = { leastMs: 1_000, mostMs: 7 * 86_400_000 } as const

const master = z
  .strictObject({
    instance: z
      .string()
      .refine(text => text === '' || instanceName.test(text), 'not the name of an instance, such as "blue"')
      .default('')
      .describe('stands in front of the annotations that say what is ours, where two masters label one cluster'),
    noPublish: z.boolean().default(false).describe('decides, and writes nothing to nodes'),
    extraLabelNs: list('namespaces of labels that are allowed besides'),
    denyLabelNs: list('namespaces of labels that are not; "*.corp.example" with all below'),
    labelWhiteList: z
      .string()
      .refine(text => parsePattern(text).ok, 'not a regular expression')
      .default('')
      .describe('what the name of a label must contain'),
    enableTaints: z.boolean().default(false).describe('taints of rules are set'),
    autoPrefix: z.boolean().default(true).describe('keys without a namespace get feature.node.kubernetes.io'),
    resyncPeriod: durationBetween(resyncLimits.leastMs, resyncLimits.mostMs)
      .default('1h')
      .describe('all nodes are looked at so often, though nothing changed'),
    nfdApiParallelism: z.int().min(1).max(mostParallel).default(10).describe('nodes that are looked at at a time'),
    removalGrace: durationBetween(0, resyncLimits.mostMs)
      .default('0s')
      .describe('so long a node keeps what it has when its last NodeFeature went; one that comes back meanwhile changes nothing'),
    nodeFeatureGroups: z.boolean().default(false).describe('NodeFeatureGroups are filled'),
    restrictions,
  })
  .prefault({})

export const featuresConfiguration = z.object({
  arbitration: z.enum(arbitrationModes).default('observe').describe('which rules of the arbiter hold for taints of rules'),
  worker: workerConfigSchema.prefault({}).describe('as in nfd-worker.conf'),
  master: master.describe('as in nfd-master.conf'),
  topology: topologySchema.prefault({}).describe('the NodeResourceTopology of each node, as nfd-topology-updater publishes it'),
})

export type FeaturesConfig = z.output<typeof featuresConfiguration>
type MasterConfig = FeaturesConfig['master']

/** What `decideNode` is to keep to. */
export function outcomeSettings(config: MasterConfig): OutcomeSettings {
  const pattern = config.labelWhiteList === '' ? undefined : parsePattern(config.labelWhiteList)
  const { disableLabels, disableAnnotations, disableExtendedResources, disableTaints, denyNodeFeatureLabels } =
    config.restrictions
  return {
    enableTaints: config.enableTaints,
    autoPrefix: config.autoPrefix,
    disableLabels,
    disableAnnotations,
    disableExtendedResources,
    disableTaints,
    denyNodeFeatureLabels,
    extraLabelNs: new Set(config.extraLabelNs),
    denyLabelNs: config.denyLabelNs,
    ...(pattern?.ok === true ? { labelWhiteList: pattern.value } : {}),
  }
}
